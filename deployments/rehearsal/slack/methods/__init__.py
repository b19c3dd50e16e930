"""The methods of the Web API, a family a module."""
