#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks of the source itself. Each prints "ok NAME", "FAIL NAME" with what it
# found, or "skip NAME (what is missing)". Exit status 1 when one failed.
#
# Usage: lint.sh BUILD_DIR [NAME...]    without names: all
set -u
build=$1
shift
top=$(CDPATH='' cd "$(dirname "$0")/../.." && pwd)
cd "$top" || exit 1
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
product=$(find core client plugins include docs -name '*.[ch]' | sort)
all="$product $(find tests -name '*.[ch]' | sort)"
failed=0

run() { # NAME TOOL COMMAND...
	name=$1 tool=$2
	shift 2
	if ! command -v "$tool" >/dev/null 2>&1; then
		echo "skip lint-$name ($tool is not installed)"
	elif "$@" >"$out" 2>&1; then
		echo "ok   lint-$name"
	else
		echo "FAIL lint-$name"
		head -60 "$out"
		failed=1
	fi
}

format() { clang-format --dry-run --Werror $all; }
size() { python3 tests/lint/size.py $product; }

banned() {
	! grep -nE '\b(strcpy|strcat|sprintf|strtok|atoi|alloca|gets|system|popen)[ ]*\(' $product
}

unfinished() {
	! git grep -nwE 'TODO|FIXME|XXX|HACK' -- '*.c' '*.h' '*.py' '*.sh' Makefile '*.mk' \
		':!tests/lint/lint.sh'
}

# The public headers stand alone in each language that an author may use.
headers() {
	for compiler in "gcc -std=c11" "gcc -std=c17" "gcc -std=c2x" "g++ -std=c++17 -xc++" \
		"g++ -std=c++20 -xc++" "clang -std=c11" "clang -std=c17" "clang -std=c2x" \
		"clang++ -std=c++17 -xc++" "clang++ -std=c++20 -xc++"; do
		command -v "${compiler%% *}" >/dev/null || continue
		for header in error ops plugin; do
			echo "#include <berth/$header.h>" |
				$compiler -Wall -Wextra -Wpedantic -Werror -Iinclude \
					$(case $compiler in *c++) ;; *) echo -xc ;; esac) \
					-fsyntax-only - || return 1
		done
	done
	# Designators are C's, and C++20's.
	for compiler in "gcc -std=c11 -xc" "g++ -std=c++20 -xc++" "clang++ -std=c++20 -xc++"; do
		command -v "${compiler%% *}" >/dev/null || continue
		$compiler -Wall -Wextra -Wpedantic -Werror -Iinclude -fsyntax-only - <<-END || return 1
			#include <berth/plugin.h>
			static const struct berth_option options[] = {{0, 0, 0, 0, 0}};
			const struct berth_plugin berth_plugin_v1 = {
				BERTH_PLUGIN_HEAD, .needs_minor = 0, .name = "x", .version = "1",
				.summary = "Is one.", BERTH_PLUGIN_OPTIONS(options), .reserved = 0,
				.open = 0, .close = 0, .lifecycle = 0, .integration = 0, .sync = 0,
				.scan = 0,
			};
		END
	done
}

# A plugin shows one symbol to the world.
symbols() {
	for so in "$build"/plugins/*.so; do
		found=$(nm -D --defined-only "$so" | awk '{print $3}' | tr '\n' ' ')
		[ "$found" = "berth_plugin_v1 " ] || {
			echo "$so exports: $found"
			return 1
		}
	done
}

spelling() { git ls-files -- '*.c' '*.h' '*.md' '*.[1578]' '*.json' '*.py' '*.sh' ':!tests/fuzz/corpus' |
	xargs codespell -q 3 -L "$(tr '\n' , <tests/lint/words)"; }

# The configuration file in the tree is the one that the table of keys prints.
config() {
	cmp etc/berth.conf "$build/etc/berth.conf" || {
		echo "a key was changed: make etc"
		return 1
	}
}

tidy() {
	flags="-std=c11 -D_GNU_SOURCE -Iinclude -I. -I$build/gen -DBERTH_VERSION=\"0\" \
		-DBERTH_PLUGINDIR=\"/\" -DBERTH_SYSCONFDIR=\"/etc\" $(pkg-config --cflags smartcols)"
	find core client plugins -name '*.c' -print0 | sort -z |
		xargs -0 -P 2 -n 8 sh -c 'flags=$1; shift; clang-tidy --quiet "$@" -- $flags 2>/dev/null' \
			sh "$flags" >"$out.tidy"
	grep -E 'warning:|error:' "$out.tidy" | sort -u
	count=$(grep -cE 'warning:|error:' "$out.tidy")
	rm -f "$out.tidy"
	[ "$count" -eq 0 ]
}

check() {
	cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
		--inline-suppr --suppressions-list=tests/lint/cppcheck.supp -j 2 -Iinclude -I. \
		'-Djson_array_foreach(a,i,v)=for (i = 0; (v = json_array_get(a, i)); i++)' \
		'-Djson_object_foreach(o,k,v)=for (k = next(o); (v = json_object_get(o, k));)' \
		-D__GNUC__ core client plugins
}

lint_names="format size banned unfinished headers symbols config spelling check tidy"
for name in ${*:-$lint_names}; do
	case $name in
	format) run format clang-format format ;;
	size) run size ctags size ;;
	banned) run banned grep banned ;;
	unfinished) run unfinished git unfinished ;;
	headers) run headers gcc headers ;;
	symbols) run symbols nm symbols ;;
	config) run config cmp config ;;
	spelling) run spelling codespell spelling ;;
	check) run cppcheck cppcheck check ;;
	tidy) run clang-tidy clang-tidy tidy ;;
	*)
		echo "FAIL lint-$name (no such check)"
		failed=1
		;;
	esac
done
exit $failed
