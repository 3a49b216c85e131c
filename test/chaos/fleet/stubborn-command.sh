#!/bin/sh
# A command handler that writes down when it works: stubborn-command.sh JOURNAL DAEMON CLOCK_OFFSET_MS. It works as long as
# its action says; told to stop, it takes nearly its whole grace, and works on meanwhile.
journal=$1 daemon=$2 offset=$3
document=$(cat)
action=${document#*'"actionName":"'}
action=${action%%'"'*}
note() {
  read -r up _ </proc/uptime
  # Hundredths of a second, as whole ms of the machine's monotonic clock.
  ms=$((${up%.*} * 1000 + 1${up#*.} * 10 - 1000 + offset))
  printf '{"atMs":%s,"who":"%s","what":"work","jobId":"%s","run":"command %s %s","step":"%s"}\n' \
    "$ms" "$daemon" "$PARTNERD_JOB_ID" "$daemon" $$ "$1" >>"$journal"
}
# Looks ten times a second; `left` is counted in looks.
case $action in
  slow-* | lingers-*) left=$((${action#*-} / 100)) ;;
  *) left=1 ;;
esac
case $action in
  lingers-*) trap 'left=7' TERM ;;
  *) trap 'left=1' TERM ;;
esac
note start
while [ "$left" -gt 0 ]; do
  sleep 0.1
  note alive
  left=$((left - 1))
done
note end
[ "$action" = fails ] && exit 1
exit 0
