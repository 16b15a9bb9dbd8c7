/* SPDX-License-Identifier: Apache-2.0 */
/* `berthctl help topic NAME`, exit codes and environment variables. */
#include "client/help.h"

const struct topic topics[] = {
	{"quick-start", "From an empty daemon to the first copy",
	 "Tell Berth of a registry. The password comes from a file, from standard input or from a "
	 "prompt, never from the command line:\n\n"
	 " berthctl integration add hub --kind dockerreg --address https://registry.example "
	 "--username alice\n\n"
	 "berthd tries the address, TLS, user and password before it keeps anything. See what is "
	 "there:\n\n"
	 " berthctl space list\n"
	 " berthctl image list hub/default\n"
	 " berthctl image show hub/team/app:1.0\n\n"
	 "Copy to another integration; look at the plan first:\n\n"
	 " berthctl copy hub/team/app:1.0 lab/team/app:1.0 --plan\n"
	 " berthctl copy hub/team/app:1.0 lab/team/app:1.0\n\n"
	 "Ctrl-C leaves the copy running in berthd; `berthctl operation attach ID` comes back to "
	 "it.\n"},
	{"references", "How images and spaces are named",
	 "A reference is INTEGRATION/REPOSITORY[:TAG][@DIGEST]: the integration's name stands in "
	 "place of a host name, and the full path at that registry follows. A space is "
	 "INTEGRATION/SPACE. Which space a repository belongs to follows from its path: the "
	 "longest declared prefix of a plain registry, and the space 'default' for what no prefix "
	 "holds.\n\n"
	 "A bare host (docker.io/library/nginx:1) is never guessed at: add the registry as an "
	 "integration first.\n"},
	{"output", "Formats, columns, filters",
	 "-o table is for reading; -o wide has more columns; -o json and -o yaml are the API's own "
	 "answer; -o name prints one name a line for xargs; -o csv and -o ndjson are for other "
	 "programs; -o template='{name} {status.phase}' prints the members you name.\n\n"
	 "In a pipe nothing is painted or cut, digests are whole and times are RFC 3339. --columns "
	 "chooses columns by title or by path. At a terminal an id is its first eight digits, and every "
	 "command takes the beginning of an id (four digits or more) that no other has.\n\n"
	 "--filter is evaluated by berthd: field op value with eq, ne, gt, ge, lt, le, like and "
	 "in, joined by and, or, not and parentheses:\n\n"
	 " berthctl integration list --filter 'name like \"prod-*\" and status.phase ne "
	 "\"healthy\"'\n\n"
	 "--sort=-created_at,name sorts; a minus turns the order.\n\n"
	 "With -o json and -o ndjson an error is one document on standard error: the API's problem "
	 "document, or code, detail, cause and hint of what arose in berthctl itself.\n"},
	{"operations", "Work that takes time",
	 "Whatever touches a registry becomes an operation of berthd. The command waits for its "
	 "end and shows progress on standard error. Ctrl-C detaches: the operation goes on, and "
	 "the line to come back with is printed. A second Ctrl-C, while the question is asked, "
	 "leaves it alone too; --cancel-on-interrupt makes the second Ctrl-C cancel. SIGTERM, and a "
	 "terminal that goes away, detach as well. Where berthd is away for over a minute berthctl "
	 "gives up (exit 6) and names the operation. --no-wait "
	 "prints the operation and returns; --timeout gives up waiting (exit 7) and lets it run.\n"},
	{"contexts", "More than one daemon",
	 "Without any setting berthctl uses /run/berth/berth.sock. --socket and BERTH_SOCKET name "
	 "another socket or ssh://[USER@]HOST[:PORT][/PATH]; over ssh `berthctl __bridge` runs at "
	 "the far end, so berthctl must be installed there and the user must be in group "
	 "berth-users. `berthctl context add` keeps such a target under a name in "
	 "$XDG_CONFIG_HOME/berth/config, and `berthctl context use` makes it the usual one.\n"},
	{"access", "Who may do what, and how others connect",
	 "The kernel tells berthd who calls: the user and all groups, so there is nothing to log in "
	 "to. Where berthd runs as a service, members of the group berth-users may connect. "
	 "Those of berth-viewer see everything, those of berth-operator also copy, refresh and "
	 "delete images, those of berth-admin and root do everything. A new group counts after the "
	 "next login. A private daemon (berthd --state-dir) is for the user who started it, who is "
	 "its admin: run the service to share one.\n\n"
	 "Who needs no role over everything is a member of a workspace, by user or by group. An "
	 "admin, or an admin of that workspace, says so:\n\n"
	 " berthctl workspace edit payments --member alice --member-group shop\n\n"
	 "Members see the spaces that are bound to their workspaces, public spaces, and what is "
	 "their workspaces' own. All else is answered as what does not exist, commands for the "
	 "whole platform too.\n\n"
	 "`berthctl role list` has the roles, `berthctl role points` what they are made of, and "
	 "`berthctl api GET /v1 --jq .caller` says who you are to berthd.\n"},
	{"secrets", "How passwords get in",
	 "A flag that takes a secret takes the name of a file: a path, - for standard input, or "
	 "credential:NAME for a file in $CREDENTIALS_DIRECTORY (systemd's LoadCredential=). Where "
	 "a user name is given and no such flag, berthctl asks at the terminal without echo. What "
	 "is on a command line can be read by every user of the machine, so --password is "
	 "refused.\n"},
	{"apply", "Files that describe what should be there",
	 "`berthctl apply -f FILE` takes JSON or YAML with one list for each noun:\n\n"
	 " workspaces:\n"
	 "   - name: shop\n"
	 "     members:\n"
	 "       - user: alice\n"
	 "         role: workspace-admin\n"
	 "       - group: shop-dev\n"
	 " integrations:\n"
	 "   - name: hub\n"
	 "     kind: dockerreg\n"
	 "     address: https://registry.example\n"
	 "     username: alice\n"
	 "     password_file: /etc/berth/hub.password\n"
	 " spaces:\n"
	 "   - integration: hub\n"
	 "     name: team\n"
	 "     workspaces: [shop]\n"
	 " syncs:\n"
	 "   - name: nightly\n"
	 "     source: hub/team\n"
	 "     target: lab\n"
	 "     tags: ['v*']\n\n"
	 "A member NAME_file is read from the file that it names, beside the file itself unless the "
	 "path begins with a slash. Numbers with a dot, yes, no, on and off must be in quotes: YAML "
	 "readers disagree about them.\n\n"
	 "What is not there is created, what differs is changed, the rest is left alone; only the "
	 "members that the file names are compared. --prune deletes what the file's lists do not "
	 "name. `berthctl diff -f FILE` shows the same without doing it: exit 0 nothing to do, 1 "
	 "something, 2 an error. Lists agree in any order. A space's workspaces are all that it is "
	 "bound to: another one is unbound. A workspace's own integration is named shop~hub.\n"},
	{"exit-codes", "What the exit status means", NULL},
	{"environment", "Variables that berthctl reads", NULL},
	{0},
};

const struct exit_text exit_texts[] = {
	{EXIT_OK, "it worked"},
	{EXIT_ERROR, "an error that has no number of its own"},
	{EXIT_USAGE, "the command line, a file or a field was wrong"},
	{EXIT_NOT_FOUND, "the named thing is not there"},
	{EXIT_NOT_ALLOWED, "you may not do that, or not open the socket"},
	{EXIT_CONFLICT, "it exists already, or changed meanwhile, or is being changed"},
	{EXIT_NO_DAEMON, "berthd cannot be reached, or is stopping"},
	{EXIT_TIMEOUT, "time ran out; the operation may go on"},
	{EXIT_UPSTREAM, "a registry failed or refused"},
	{EXIT_PARTLY, "part of the work was done, part failed"},
	{EXIT_FINDINGS, "findings above the threshold"},
	{EXIT_INTERRUPTED, "interrupted; the operation goes on unless it was cancelled"},
	{0},
};

const struct variable variables[] = {
	{"BERTH_SOCKET", "socket path or ssh:// target to use instead of the usual"},
	{"BERTH_CONTEXT", "name of the context to use"},
	{"BERTH_SSH", "program to run instead of ssh"},
	{"BERTH_PAGER, PAGER", "pager for long output; cat or nothing turns it off"},
	{"NO_COLOR", "when set, nothing is painted"},
	{"CLICOLOR_FORCE", "when set and not 0, painted even in a pipe"},
	{"COLUMNS", "width of the terminal"},
	{"TERM", "dumb: no colour, no repainting"},
	{"LC_ALL, LC_CTYPE, LANG", "a UTF-8 locale shows UTF-8; another shows escapes"},
	{"XDG_CONFIG_HOME", "where berth/config with the contexts is; ~/.config without it"},
	{"CREDENTIALS_DIRECTORY", "where credential:NAME is looked for"},
	{0},
};
