/* vet.h: an ELF file that was looked over before a library reads it: what it is, that it cannot change or shrink underfoot, that
 * its compressed sections do not claim absurd sizes. For inspect/symbol only. */
#ifndef ALLOCTOP_VET_H
#define ALLOCTOP_VET_H

#include <stddef.h>
#include <stdint.h>

struct vetted {
	int fd;                         /* -1: none */
	uint64_t identity;              /* differs for files that differ, without reading them; 0: not a file (from memory) */
	uint8_t build_id[40];
	unsigned build_id_size;         /* 0: it has none */
	uint8_t has_dwarf;
	char link[256];                 /* .gnu_debuglink, "" without */
	uint32_t link_crc;
	char path[1024];                /* below the root it was found in, "" without */
};

/* Takes fd over. 0, or -1 when it is not a program, shared object or debug file that can be used; then it is closed. */
int vet(int fd, struct vetted *v);
void vet_close(struct vetted *v);
/* 1 when v has this build ID, or when none is asked for. */
int vet_is(const struct vetted *v, const uint8_t *build_id, unsigned size);
/* CRC-32 of the whole file, as .gnu_debuglink means it. -1 when it cannot be read. */
int vet_crc(const struct vetted *v, uint32_t *crc);

#endif
