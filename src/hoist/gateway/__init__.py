"""The edge: Flask and flask-sock, in the place of API Gateway."""
