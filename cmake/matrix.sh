#!/bin/sh
# Builds and tests every combination that this machine has, by hand and slowly, and prints a table:
#   compilers g++ and clang++ (the newest of each, and those named in HEED_COMPILERS), -O0 and -O2, SSE2, AVX2 and AVX-512.
#   sh cmake/matrix.sh [ctest arguments, for instance -L quick]
# HEED_COMPILERS="g++-12 clang++-14"    other compilers
# HEED_LEVELS="-O0 -O2"                 other optimisation levels
# HEED_ISAS="sse2 avx2 avx512 native"   other instruction sets
# HEED_EIGEN=<folder> HEED_XSIMD=<folder>   newer copies; adds a row for each, native and -O2
# HEED_MATRIX_DIR=<folder>              where to build (default build/matrix)
set -u
cd "$(dirname "$0")/.." || exit 1
root=$PWD
base=${HEED_MATRIX_DIR:-$root/build/matrix}
mkdir -p "$base" || exit 1
table=$base/table.txt
: >"$table"
[ $# -gt 0 ] || set -- -L quick
failed=0

# has_cpu FLAG: this CPU can run it
has_cpu() { grep -qw "$1" /proc/cpuinfo 2>/dev/null; }

isa_flag() {
  case $1 in
    sse2) echo "-march=x86-64" ;;
    avx2) has_cpu avx2 && has_cpu fma && echo "-march=x86-64-v3" ;;
    avx512) has_cpu avx512bw && has_cpu avx512dq && echo "-march=x86-64-v4" ;;
    native) echo "-march=native" ;;
    *) echo "$1" ;; # a flag of your own
  esac
}

# run_one NAME COMPILER FLAGS [cmake arguments] -- [ctest arguments]
run_one() {
  name=$1 compiler=$2 flags=$3
  shift 3
  folder=$base/$(echo "$name" | tr -c 'A-Za-z0-9.\n' _)
  log=$folder.log
  started=$(date +%s)
  extra=""
  while [ "$1" != -- ]; do extra="$extra $1"; shift; done
  shift
  echo "== $name (log: $log)"
  # shellcheck disable=SC2086  # $extra is a list
  if ! cmake -S "$root" -B "$folder" -G Ninja -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_BUILD_TYPE=None \
    -DCMAKE_CXX_FLAGS="$flags" -DHEED_NATIVE=OFF -DHEED_WERROR=ON -DHEED_BUILD_BENCHMARKS=OFF $extra >"$log" 2>&1; then
    result="configure failed"
  elif ! cmake --build "$folder" >>"$log" 2>&1; then
    result="build failed"
  elif ctest --test-dir "$folder" --output-on-failure "$@" >>"$log" 2>&1; then
    result=$(grep -E 'tests passed' "$log" | tail -n 1)
  else
    result=$(grep -E 'tests passed|No tests' "$log" | tail -n 1)
    result="FAILED: $result"
  fi
  case $result in 100%*) ;; *) failed=1 ;; esac
  printf '%-34s %6d s  %s\n' "$name" $(($(date +%s) - started)) "$result" | tee -a "$table"
}

for compiler in ${HEED_COMPILERS:-g++ clang++}; do
  command -v "$compiler" >/dev/null 2>&1 || { echo "$compiler: not on this machine" | tee -a "$table"; continue; }
  for isa in ${HEED_ISAS:-sse2 avx2 avx512}; do
    flag=$(isa_flag "$isa")
    [ -n "$flag" ] || { echo "$isa: not on this machine" | tee -a "$table"; continue; }
    for level in ${HEED_LEVELS:--O0 -O2}; do
      run_one "$compiler $level $isa" "$compiler" "$level $flag" -- "$@"
    done
  done
  [ -z "${HEED_EIGEN:-}" ] ||
    run_one "$compiler -O2 native newer-eigen" "$compiler" "-O2 -march=native" "-DHEED_EIGEN_INCLUDE_DIR=$HEED_EIGEN" -- "$@"
  [ -z "${HEED_XSIMD:-}" ] ||
    run_one "$compiler -O2 native newer-xsimd" "$compiler" "-O2 -march=native" "-DHEED_XSIMD_INCLUDE_DIR=$HEED_XSIMD" -- "$@"
done

echo
cat "$table"
exit $failed
