/* Text from strangers on its way into JSON, which must be UTF-8. */
#ifndef FLIPSIDE_UPDATER_TEXT_H
#define FLIPSIDE_UPDATER_TEXT_H

/* Replaces, in place, each byte that is not part of a well-formed UTF-8 sequence by '?'. From: RFC 3629 section 4 */
void text_clean_utf8(char *s);

#endif
