"""What is on the socket: the Web API, Socket Mode, response URLs, the page and the controls."""
