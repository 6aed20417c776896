/* cmocka with the headers that it wants before it, and an assertion for tables that names the row. */
#ifndef FLIPSIDE_TEST_FIXTURES_CASE_H
#define FLIPSIDE_TEST_FIXTURES_CASE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

/* @name: of the row, printed if @cond does not hold. */
#define assert_case(name, cond)                                                                                        \
	do {                                                                                                           \
		if (!(cond))                                                                                           \
			fail_msg("%s: %s", (name), #cond);                                                             \
	} while (0)

#endif
