#!/bin/sh
# A command handler: the job comes as JSON on stdin, what it prints becomes log lines of the job, and its exit code is
# the verdict. (A language with JSON at hand writes the outcome document to $PARTNERD_OUTCOME instead.)
job=$(cat)
echo "deploying job $PARTNERD_JOB_ID"
# What the configuration calls secret is masked, even when a handler prints it:
echo "$job" | grep -o '"ApiKey":"[^"]*"'
case "$job" in
  *'"Target":"nowhere"'*)
    echo "the target nowhere does not exist" >&2
    exit 78 # ConfigurationError
    ;;
esac
echo '{"kind":"succeeded","summary":"deployed"}' >"$PARTNERD_OUTCOME"
