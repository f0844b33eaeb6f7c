# One image for gateways, workers and, in the local stack only, the login server.
FROM python:3.11-slim
WORKDIR /app
COPY requirements.lock setup.cfg pyproject.toml README.md ./
RUN pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY src src
COPY emulation emulation
RUN pip install --no-cache-dir --no-deps --no-build-isolation .
USER nobody
CMD ["python", "-m", "hoist.gateway"]
