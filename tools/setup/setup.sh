# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
# Sourced by tools/demo, tools/test and tools/check: brings a Debian-like machine with Python 3.11 to where the
# project builds and runs. Everything is idempotent; what is there already costs seconds.
# Sets: ROOT, PY (the environment's python).

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
PY="$ROOT/.venv/bin/python"
export CMAKE_GENERATOR=Ninja PIP_DISABLE_PIP_VERSION_CHECK=1

say() {
  if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then printf '\033[36m== %s\033[0m\n' "$*"; else printf '== %s\n' "$*"; fi
}

# counting: passes nothing on, but shows on a terminal how far ninja ("[12/220] Building ...") is.
counting() {
  local line
  while read -r line; do
    if [ -t 1 ] && [[ $line == \[*/*\]* ]]; then printf '\r   %s]\033[K' "${line%%]*}"; fi
  done
  if [ -t 1 ]; then printf '\r\033[K'; fi
}

# need_packages NAME...: Debian packages; installs those that are missing, or says which ones a non-root user lacks.
need_packages() {
  local missing=()
  for name in "$@"; do
    dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'install ok installed' || missing+=("$name")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  local sudo=()
  if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
      sudo=(sudo)
    else
      echo "system packages: ${missing[*]} not installed, expected them present; ask an administrator to run: apt-get install ${missing[*]}" >&2
      return 1
    fi
  fi
  say "installing system packages: ${missing[*]}"
  "${sudo[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

find_python() {
  local candidate
  for candidate in python3.11 python3.12 python3.13 python3; do
    if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
      echo "$candidate"
      return 0
    fi
  done
  echo "python: none of 3.11 or newer on PATH, expected one; install python3.11 and python3.11-venv" >&2
  return 1
}

# make_environment EXTRAS: the virtual environment at .venv with the project's dependencies ("" or "dev").
make_environment() {
  local stamp="$ROOT/.venv/.stamp-${1:-run}" digest python
  digest="$(sha256sum "$ROOT/pyproject.toml" | cut -c1-16)"
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$digest" ] && return 0
  python="$(find_python)"
  if [ ! -x "$PY" ]; then
    say "creating the virtual environment .venv"
    "$python" -m venv "$ROOT/.venv"
  fi
  say "installing Python packages${1:+ (with $1 extras)}"
  "$PY" - "$ROOT/pyproject.toml" "$1" >"$ROOT/.venv/requirements.txt" <<'PYTHON'
import sys, tomllib
project = tomllib.load(open(sys.argv[1], "rb"))["project"]
print("\n".join(project["dependencies"] + (project["optional-dependencies"][sys.argv[2]] if sys.argv[2] else [])))
PYTHON
  "$PY" -m pip install -q -r "$ROOT/.venv/requirements.txt"
  # The source tree itself, so that .venv/bin/python and .venv/bin/tealight always run what is checked out.
  "$PY" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' | while read -r site; do echo "$ROOT/sdk" >"$site/tealight.pth"; done
  printf '#!%s\nimport sys\n\nfrom tealight.cli import main\n\nsys.exit(main())\n' "$PY" >"$ROOT/.venv/bin/tealight"
  chmod +x "$ROOT/.venv/bin/tealight"
  echo "$digest" >"$stamp"
}

# build_native NAME [cmake arguments]: configures and builds build/NAME.
build_native() {
  local name="$1"
  shift
  say "building the runtime: $name"
  mkdir -p "$ROOT/build"
  if ! { cmake -S "$ROOT/native" -B "$ROOT/build/$name" -DPython3_EXECUTABLE="$PY" "$@" && cmake --build "$ROOT/build/$name"; } 2>&1 | tee "$ROOT/build/$name.log" | counting; then
    tail -n 60 "$ROOT/build/$name.log" >&2
    echo "build $name: failed, expected success; the whole log is build/$name.log" >&2
    return 1
  fi
}

HOST_PACKAGES=(g++ cmake ninja-build ccache flatbuffers-compiler libflatbuffers-dev)
ARM64_PACKAGES=(g++-aarch64-linux-gnu qemu-user)
TEST_PACKAGES=(libgtest-dev g++-arm-linux-gnueabihf clang-19 llvm-19 libc++-19-dev shellcheck chromium openjdk-17-jdk-headless junit4 libhamcrest-java
  proguard-cli)
# A sample .apk without Android's SDK; ANDROID_UNPACKED is what Debian 11 alone has.
ANDROID_PACKAGES=(openjdk-17-jdk-headless aapt zipalign apksigner dexdump)
ANDROID_UNPACKED=(libandroid-23-java dalvik-exchange)

# need_android_tools: android.jar of API 23 and dx (classes to .dex) in build/android. They are in Debian 11, whose name
# is read from this machine's own sources; unpacked, not installed.
need_android_tools() {
  local folder="$ROOT/build/android" release=bullseye mirror name
  local -a options
  [ -e "$folder/android.jar" ] && [ -e "$folder/dx.jar" ] && return 0
  say "unpacking android.jar and dx"
  # shellcheck disable=SC2016  # $(…) is apt's own syntax
  mirror="$(apt-get indextargets --format '$(LABEL)|$(COMPONENT)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | grep -m 1 '^Debian|main|' | cut -d'|' -f3)" || true
  if [ -z "$mirror" ]; then
    echo "android.jar: no Debian archive among the package sources that apt has read, expected one; run apt-get update, or put the jar of API 23 at build/android/android.jar and dx at build/android/dx.jar" >&2
    return 1
  fi
  rm -rf "$folder/apt"
  mkdir -p "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial" "$folder/apt/root"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $release main" >"$folder/apt/sources.list"
  options=(-qq -o "Dir::Etc::SourceList=$folder/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o "Dir::State::Lists=$folder/apt/lists" -o "Dir::Cache=$folder/apt/cache" -o "APT::Sandbox::User=$(id -un)")
  apt-get "${options[@]}" update || return 1
  (cd "$folder/apt" && apt-get "${options[@]}" download "${ANDROID_UNPACKED[@]}") || return 1
  for name in "$folder"/apt/*.deb; do dpkg -x "$name" "$folder/apt/root" || return 1; done
  cp "$folder/apt/root/usr/share/java/com.android.dx.jar" "$folder/dx.jar"
  cp "$folder/apt/root/usr/share/java/com.android.android-23.jar" "$folder/android.jar"
  rm -rf "$folder/apt"
}
