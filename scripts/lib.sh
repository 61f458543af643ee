# shellcheck shell=bash disable=SC2034
# Functions for all scripts. Sourced, not run.
# The sourcing script sets ROOT (the checkout) and NAME (its own name, for messages).

export LC_ALL=C.UTF-8

# A checkout that was moved, or a second one, uses the compiled files of the first.
# A file that is not in the cache is not preprocessed twice (DEPEND): the compiler lists the headers.
export CCACHE_BASEDIR="${CCACHE_BASEDIR:-$ROOT}" CCACHE_NOHASHDIR=1 CCACHE_DEPEND=1
export HOME="${HOME:-/tmp}"

BUILD_PACKAGES=(
  g++ cmake ninja-build pkgconf ccache
  libserialport-dev libmodbus-dev libpaho-mqtt-dev libpcre2-dev libsqlite3-dev libssl-dev libboost-program-options-dev
  libtomlplusplus-dev nlohmann-json3-dev
)

TEST_PACKAGES=(catch2 mbpoll mosquitto mosquitto-clients socat python3 openssl procps)

GATE_PACKAGES=(clang-format clang-tidy shellcheck git lld)

say() { printf '%s: %s\n' "$NAME" "$*" >&2; }
die() { say "$*"; exit 1; }

# --- packages -------------------------------------------------------------------------------------------------------

# Prints those of the named Debian packages that are not installed.
missing_packages() {
  local installed package
  installed=" $(dpkg-query -W -f '${Package}=${db:Status-Status} ' "$@" 2>/dev/null || true) "
  for package in "$@"; do
    [[ $installed == *" $package=installed "* ]] || printf '%s\n' "$package"
  done
}

# Runs as root. While the packages are installed no service is started (policy-rc.d, if the machine has none of its own):
# an installed Mosquitto should not open a port on the user's machine.
# shellcheck disable=SC2016
INSTALL_AS_ROOT='
set -e
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap "rm -f $policy" EXIT
  trap "exit 1" INT TERM HUP
  printf "#!/bin/sh\nexit 101\n" >"$policy"
  chmod 755 "$policy"
fi
options="-o Acquire::Retries=3 -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0"
# A container that a power cut damages is replaced: there dpkg need not wait for the disk after each file.
[ -d /run/systemd/system ] || options="$options -o DPkg::Options::=--force-unsafe-io"
echo "# apt-get update"
apt-get $options update
echo "# apt-get install"
apt-get $options install -y --no-install-recommends "$@"
'

# Installs the missing ones of the named packages; needs neither network nor root when none is missing.
ensure_packages() {
  local -a missing as_root=()
  command -v apt-get >/dev/null || die "this needs Debian 12 or 13 (there is no apt-get here)"
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null ||
      die "packages are missing, and there is no sudo to install them with. As root: apt-get install ${missing[*]}"
    as_root=(sudo)
    say "packages are installed with sudo, which may ask for your password"
    sudo -v || die "sudo was refused. As root: apt-get install ${missing[*]}"
  fi
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  local log
  log=$(log_file packages)
  watched "installing packages" "$log" last_apt_line \
    "${as_root[@]}" sh -c "$INSTALL_AS_ROOT" install "${missing[@]}" ||
    failed "$log" "the packages could not be installed"
}

# Names of this machine are in /etc/hosts; a minimal container may have none.
ensure_localhost() {
  getent hosts localhost >/dev/null && return 0
  local -a as_root=()
  if [ "$(id -u)" -ne 0 ]; then as_root=(sudo); fi
  say "the name localhost cannot be resolved: adding it to /etc/hosts"
  # shellcheck disable=SC2016
  "${as_root[@]}" sh -c 'echo "127.0.0.1 localhost" >>/etc/hosts' || die "as root: echo 127.0.0.1 localhost >>/etc/hosts"
}

# --- long commands: progress on the terminal, all output in a file ---------------------------------------------------

# The file for the output of a step.
log_file() {
  local directory=$ROOT/build/log
  mkdir -p "$directory" 2>/dev/null || true
  [ -w "$directory" ] || die "cannot write to $directory (made by another user? remove $ROOT/build and try again)"
  printf '%s/%s.log\n' "$directory" "$1"
}

last_apt_line() { tail -n 1 "$1" | cut -c 1-90; }
last_step() { grep -oE '^\[[0-9]+/[0-9]+\]' "$1" | tail -n 1 | tr -d '[]' | sed 's,/, of ,'; }
last_test() { grep -oE '^ *[0-9]+/[0-9]+ Test' "$1" | tail -n 1 | sed 's, Test,,; s,/, of ,; s,^ *,,'; }

REPORTER=
stop_reporter() {
  [ -n "$REPORTER" ] || return 0
  kill "$REPORTER" 2>/dev/null || true
  wait "$REPORTER" 2>/dev/null || true
  REPORTER=
}

# watched WHAT LOG PROGRESS COMMAND...: runs the command with its output in LOG and prints its progress every ten seconds.
# It stays in the foreground, so that Ctrl-C reaches it.
watched() {
  local what=$1 log=$2 progress=$3 status=0 started=$SECONDS
  shift 3
  : >"$log"
  (
    trap - EXIT
    waiting=
    trap 'kill $waiting 2>/dev/null; exit 0' TERM
    while :; do
      sleep 10 &
      waiting=$!
      wait "$waiting"
      say "$what: $("$progress" "$log" || true) ($((SECONDS - started)) s)"
    done
  ) &
  REPORTER=$!
  "$@" >>"$log" 2>&1 || status=$?
  stop_reporter
  return "$status"
}

# failed LOG REASON: shows the end of the log and exits.
failed() {
  say "$2. The last lines of $1:"
  grep -vE '^\[[0-9]+/[0-9]+\]|^ccache' "$1" | tail -n "${3:-40}" >&2 || true
  die "$2 (all of it: $1)"
}

# --- building -------------------------------------------------------------------------------------------------------

# Compilers at a time: one a core, at most one for each free 900 MB.
build_jobs() {
  local cores available limit used
  cores=$(nproc)
  available=$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
  if limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null) && [ "$limit" != max ]; then
    used=$(cat /sys/fs/cgroup/memory.current 2>/dev/null || echo 0)
    limit=$(((limit - used) / 1024 / 1024))
    if ((limit < available)); then available=$limit; fi
  fi
  local by_memory=$((available / 900))
  if ((by_memory < 1)); then by_memory=1; fi
  echo $((cores < by_memory ? cores : by_memory))
}

# build DIRECTORY "TARGET..." [cmake options...]
# Line numbers in a backtrace are enough (-g1): full debugging information takes a third of the compiler's time.
build() {
  local directory=$1 log jobs
  local -a wanted
  read -ra wanted <<<"$2"
  shift 2
  log=$(log_file "$(basename "$directory")")
  if [ -f "$directory/CMakeCache.txt" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$ROOT" "$directory/CMakeCache.txt"; then
    say "the checkout was moved: configuring $directory from the start"
    rm -rf "$directory/CMakeCache.txt" "$directory/CMakeFiles"
  fi
  mkdir -p "${CCACHE_DIR:-$HOME/.cache/ccache}" 2>/dev/null || export CCACHE_DISABLE=1
  watched "configuring" "$log" true cmake -G Ninja -S "$ROOT" -B "$directory" \
    -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O2 -g1" "$@" ||
    failed "$log" "cmake could not configure the build"
  jobs=$(build_jobs)
  say "building in $directory ($jobs at a time; the first time takes some minutes)"
  watched "building" "$log" last_step ninja -C "$directory" -j "$jobs" "${wanted[@]}" ||
    failed "$log" "the build failed"
}
