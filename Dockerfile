# One container runs everything: `docker build -t hub . && docker run -p 8000:8000 -e PORT=8000 hub`.
# With SQLite mount a volume at /data, with PostgreSQL set DATABASE_URL.
# The base image goes by its tag, so that its security fixes arrive; where builds must repeat, add its digest.
FROM python:3.12-slim

WORKDIR /app
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md ./
COPY hub hub
RUN pip install --no-cache-dir --no-deps . && rm -rf build *.egg-info

COPY config config
COPY templates templates
RUN hub check

RUN useradd --system --home-dir /app hub && mkdir /data && chown hub /data
USER hub
VOLUME /data

ENV PORT=8000 DATABASE_URL=sqlite:////data/hub.db HUB_LOG_FORMAT=json
EXPOSE 8000
CMD ["hub", "serve"]
