# SPDX-License-Identifier: Apache-2.0
# Turns migrations (NNN_name.sql, given in order) into rows of struct
# store_migration: number, name, text. Comments and blank lines stay out.
BEGIN { print "/* Made from core/store/schema by embed.awk. */" }
FNR == 1 {
	if (NR > 1) print "\t},"
	name = FILENAME
	sub(/.*\//, "", name)
	sub(/\.sql$/, "", name)
	printf "\t{\n\t\t%d, \"%s\",\n", substr(name, 1, 3) + 0, substr(name, 5)
}
/^[ \t]*(--|$)/ { next }
{
	gsub(/\\/, "\\\\")
	gsub(/"/, "\\\"")
	printf "\t\t\"%s\\n\"\n", $0
}
END { if (NR) print "\t}," }
