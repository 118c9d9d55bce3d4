# The image runs `edge-sv`:
#   docker build -t edge-sv .
#   docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD:/work" edge-sv build --target tflite-micro --out package
# BASE is any image with Python 3.11 and its venv module.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}

# HOME: any --user may write there.
ENV VIRTUAL_ENV=/opt/edge-sv \
    PATH=/opt/edge-sv/bin:/usr/local/bin:/usr/sbin:/usr/bin:/bin \
    HOME=/tmp \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_PROGRESS_BAR=off \
    TF_CPP_MIN_LOG_LEVEL=2
# A C compiler: generated C is compared with TensorFlow Lite Micro before it is packaged.
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 1000 --create-home --home-dir /work edge-sv && python3 -m venv "$VIRTUAL_ENV"

# The dependencies come first, so that their layer stays when only the sources change.
COPY requirements/image.lock /tmp/requirements.lock
RUN pip install --no-deps --requirement /tmp/requirements.lock && rm /tmp/requirements.lock && pip check

COPY pyproject.toml README.md LICENSE NOTICE /tmp/source/
COPY edge_sv /tmp/source/edge_sv
COPY converters /tmp/source/converters
COPY targets /tmp/source/targets
COPY assets /tmp/source/assets
RUN pip install --no-deps --no-build-isolation /tmp/source && rm -r /tmp/source && edge-sv --version

USER edge-sv
WORKDIR /work
ENTRYPOINT ["edge-sv"]
CMD ["--help"]
