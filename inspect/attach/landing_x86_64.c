/* landing_x86_64.c: see landing.h. jmp *target(%rip), and two bytes of no meaning. */
#include "inspect/attach/landing.h"

#include <string.h>

#include "inspect/client/home.h"

void landing_code(uint8_t *page, size_t entries, size_t back)
{
	memset(page, 0xcc, HOME_PAGE);
	for (size_t i = 0; i < entries; i++) {
		uint8_t *at = page + i * HOME_LANDING;
		int32_t distance = (int32_t)(i * 8) - (int32_t)back - (int32_t)(i * HOME_LANDING + 6);
		at[0] = 0xff, at[1] = 0x25;
		memcpy(at + 2, &distance, sizeof distance);
	}
}
