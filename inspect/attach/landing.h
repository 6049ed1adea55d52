/* landing.h: the second page of a home (inspect/client/home.h): for each entry a jump by way of its target. For inspect/attach. */
#ifndef ALLOCTOP_LANDING_H
#define ALLOCTOP_LANDING_H

#include <stddef.h>
#include <stdint.h>

/* landing_x86_64.c: the page's bytes; the targets begin `back` bytes before the page. */
void landing_code(uint8_t *page, size_t entries, size_t back);

#endif
