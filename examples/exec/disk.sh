#!/bin/sh
# A sensor in shell for baudbridge (adapter = "exec"): how full a file system is.
#
#   command = ["/path/to/disk.sh", "/var", "10"]      file system, seconds between readings
#
# Lines printed without a pause between them are one record. What is written to standard error goes to the log.
folder=${1:-/}
seconds=${2:-10}

echo "ready"
while :; do
  if line=$(df -Pk -- "$folder" 2>&1 | tail -n 1) && [ -d "$folder" ]; then
    # Filesystem 1024-blocks Used Available Capacity Mounted-on
    # shellcheck disable=SC2086
    set -- $line
    echo "reading used $(($3 * 1024)) B"
    echo "reading free $(($4 * 1024)) B"
    echo "reading full ${5%\%} %"
  else
    echo "fault * $folder: cannot be read"
    echo "df: $line" >&2
  fi
  # A child in the background and 'wait' let a signal end the script at once, not after the sleep.
  sleep "$seconds" &
  wait $!
done
