# The service, for one machine:
#   docker build -t fixative .
#   docker run --read-only --tmpfs /tmp -e FIXATIVE_TOKEN=… -p 8300:8300 fixative
# pip's own settings can be given to the build, for example PyTorch's index of packages for
# processors only, which makes the image some gigabytes smaller:
#   docker build --build-arg PIP_EXTRA_INDEX_URL=… -t fixative .
FROM python:3.12-slim

ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL

WORKDIR /app
COPY pyproject.toml README.md LICENSE ./
COPY fixative fixative
COPY weights weights
RUN pip install --no-cache-dir '.[serve]' && rm -rf /app

WORKDIR /
RUN useradd --system --no-create-home --uid 10001 fixative
USER fixative
ENV PYTHONUNBUFFERED=1 MPLCONFIGDIR=/tmp
# Freed memory is kept for the next picture: a fifth of the processor's time.
ENV MALLOC_MMAP_MAX_=0 MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=1073741824
EXPOSE 8300
# A service that is stopping or refuses for want of room is still alive.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD \
    ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8300/healthz', timeout=4)"]
# It does not start without FIXATIVE_TOKEN, or --without-token where something else keeps the door.
ENTRYPOINT ["fixative", "serve", "--host", "0.0.0.0"]
STOPSIGNAL SIGTERM
