"""One rehearsal from its first process to its last: cluster, old Istio, upgrade, what people see."""
