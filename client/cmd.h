/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers of the nouns share: the generic commands, sending a change,
 * references. Each noun's table is in its own cmd_NOUN.c.
 */
#ifndef CLIENT_CMD_H
#define CLIENT_CMD_H

#include "client/api.h"
#include "client/cli.h"
#include "client/follow.h"
#include "core/oci/reference.h"

extern const struct column operation_columns[];

/* Generic handlers, driven by the command's route, flags and columns. */
int run_list(struct cli *c);
int run_show(struct cli *c);
/* Reads the resource, asks with its name, deletes it with its ETag. */
int run_delete(struct cli *c);
/* Reads the resource, sends the given fields as a merge patch with its ETag. */
int run_edit(struct cli *c);
/* POST of the given fields. */
int run_post(struct cli *c);
/* POST to .../probe, then the probed resource in the command's columns. */
int run_probe(struct cli *c);

/* Brings the lists in a resource to what the flags say: -1, or the exit code of what was said. */
typedef int apply_lists(struct cli *c, json_t *resource);
/* run_edit of a resource whose lists (ended by NULL) the API takes whole: they are read, changed by
 * apply, and sent with the ETag of what was read, so that nobody else's change is lost. */
int edit_lists(struct cli *c, const char *const *lists, apply_lists *apply);

/* Lists or shows path as the command says, again and again with --watch. */
int list_path(struct cli *c, const char *path);
int show_path(struct cli *c, const char *path);
/* Shows a list that is there already, through the pager. */
int show_paged(struct cli *c, const json_t *body);
/* cmd_image.c: lines to paste (ImageCommands), of the tool that --tool names or of all:
 * what others have is taken out of body; what is left is shown, and why none pushes. */
#define TOOL_FLAG                                                                                  \
	{                                                                                          \
		"tool", 0, FLAG_CHOICE, "TOOL", "only this tool's lines",                          \
			.choices = "docker podman nerdctl skopeo ctr crictl kubernetes"            \
	}
void choose_tool(const struct cli *c, json_t *body);
int show_lines(struct cli *c, const json_t *body);
/* path with the given flags that are query parameters. Takes path; free(). */
char *path_with_flags(const struct cli *c, char *take_path) MUST_USE;

/* Sends a change, with dry_run=true where asked, and shows what came: a plan, an
 * operation to follow, a resource, or nothing ("done" is said then). */
struct change {
	struct api_call call;
	const char *done; /* "integration hub deleted" */
	follow_result *result;
	const struct column *columns; /* of the resource; NULL: the command's */
};
int send_change(struct cli *c, const struct change *change);
/* What berthd has saved it may ask about now: can it be done as it is written? Follows that;
 * EXIT_OK also where nothing is asked. */
int follow_check(struct cli *c, const json_t *saved, const char *noun, const char *name);

/* members.c: brings a list of members to what the flags member, member-group,
 * admin, admin-group, remove and remove-group say; as names the role of the first
 * two. -1, or the exit code of what was said. */
int members_apply(struct cli *c, json_t *members);

/* Prints a stream of JSON lines as they come, until its end. line NULL: time,
 * level and message. JSON formats print each object on a line. --count
 * ends it earlier. Exit code. */
typedef void print_line(struct cli *c, const json_t *object);
void stream_print(struct cli *c, const json_t *object, print_line *line);
int stream_lines(struct cli *c, const char *path, print_line *line, const char *if_none);

/* place.c: where a name of the user's stands in the API. text is INTEGRATION,
 * INTEGRATION/SPACE or a space's id; the spaces it means, as {"items":[...]}.
 * Failing is said; -1: go on, else the exit code. */
int place_spaces(struct cli *c, const char *text, json_t **ret_list);
/* The id of the one space that text means, in 40 bytes. */
int place_space(struct cli *c, const char *text, char *ret_id);
/* Parses a reference and finds the id of the space that holds it: the longest
 * name that its repository begins with, else the space "default". */
int place_reference(struct cli *c, const char *text, struct reference *ret, char *ret_id);
enum { PLACE_ID_ROOM = 40 };

/* After a "not found": says which name comes closest, where there is one. */
void suggest_name(struct cli *c);
/* Names of that kind that begin with prefix, each through take; errors are
 * silent. At most 200. budget_ms bounds the whole. */
void names_list(struct cli *c, enum names kind, const char *prefix, uint32_t budget_ms,
		void (*take)(void *user, const char *name), void *user);
/* complete.c: prints candidates for the words of a command line. */
int complete_words(struct cli *c, int argc, char **argv);
const char *completion_script(const char *shell); /* NULL: unknown */

#endif
