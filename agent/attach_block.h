/* attach_block.h: the block of attach.h, for the files of the image that look at it. */
#ifndef AGENT_ATTACH_BLOCK_H
#define AGENT_ATTACH_BLOCK_H

#include "attach.h"
#include "cc.h"
#include "modules.h"

extern struct attach_block alloctop_attach;

#endif
