/* debuginfod.h: debug files from a debuginfod server. For inspect/symbol only. */
#ifndef ALLOCTOP_DEBUGINFOD_H
#define ALLOCTOP_DEBUGINFOD_H

#include <stdint.h>

/* Descriptor of the debug file of this build ID; -1 without DEBUGINFOD_URLS, without the client library, or when no server has
   it. May take as long as the network does: the library's DEBUGINFOD_TIMEOUT bounds it. */
int debuginfod_debug(const uint8_t *build_id, unsigned size);

#endif
