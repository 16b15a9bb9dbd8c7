# SPDX-License-Identifier: Apache-2.0
# Sourced by suites: goes to the top of the tree and turns lines "ok NAME",
# "FAIL NAME" and "skip NAME (why)" into TAP; other lines become diagnostics.
cd "$(dirname "$0")/../.." || exit 1
: "${BERTH_BUILD:=build}"

tap() {
	awk '
	/^ok /   { print "ok " ++n " - " $2; next }
	/^FAIL / { print "not ok " ++n " - " $2; failed = 1; next }
	/^skip / { why = $0; sub(/^skip [^ ]+ */, "", why); print "ok " ++n " - " $2 " # SKIP " why; next }
	         { print "# " $0 }
	END      {
		if (!n) { print "not ok 1 - something is run"; n = failed = 1 }
		print "1.." n; exit failed
	}'
}
