/* vet.c: checks before use. See vet.h. */
#include "inspect/symbol/vet.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <elfutils/libdwelf.h>
#include <gelf.h>
#include <zlib.h>

#include "inspect/target/xalloc.h"

enum { SECTIONS_MAX = 1 << 20, RATIO_MAX = 1040 /* deflate reaches 1032:1 */ };
static const uint64_t file_max = 16ull << 30, copy_max = 4ull << 30, unpacked_max = 16ull << 30;

static uint64_t mix(uint64_t h, uint64_t v)
{
	h ^= v;
	h *= 0x9e3779b97f4a7c15;
	return h ^ h >> 29;
}

static uint64_t identity_of(const struct stat *st)
{
	uint64_t h = mix(1, st->st_dev);
	h = mix(h, st->st_ino);
	h = mix(h, (uint64_t)st->st_size);
	h = mix(h, (uint64_t)st->st_ctim.tv_sec);
	h = mix(h, (uint64_t)st->st_ctim.tv_nsec);
	return h ? h : 1;
}

/* A file that others may write could be cut short while it is mapped: SIGBUS. Work on a copy of those. */
static int settle(int fd, const struct stat *st)
{
	if ((st->st_uid == 0 || st->st_uid == geteuid()) && !(st->st_mode & 022)) return fd;
	if ((uint64_t)st->st_size > copy_max) return -1;
	int copy = memfd_create("alloctop-elf", MFD_CLOEXEC);
	if (copy < 0) return -1;
	off_t at = 0;
	while (at < st->st_size && sendfile(copy, fd, &at, (size_t)(st->st_size - at)) > 0) {}
	if (at != st->st_size) { close(copy); return -1; }
	close(fd);
	return copy;
}

static int header_ok(int fd)
{
	Elf64_Ehdr h;
	if (pread(fd, &h, sizeof h, 0) < (ssize_t)sizeof(Elf32_Ehdr) || memcmp(h.e_ident, ELFMAG, SELFMAG)) return 0;
	/* e_type stands at the same place in both classes; the byte order is that of the machine or nothing here can run it */
	return h.e_ident[EI_DATA] == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB) &&
	       (h.e_type == ET_EXEC || h.e_type == ET_DYN);
}

/* Bytes that a section unpacks to; UINT64_MAX when that makes no sense. */
static uint64_t unpacked(Elf_Scn *scn, const GElf_Shdr *sh, const char *name, int fd)
{
	if (sh->sh_type == SHT_NOBITS) return 0;
	uint64_t size = sh->sh_size;
	if (sh->sh_flags & SHF_COMPRESSED) {
		GElf_Chdr ch;
		if (!gelf_getchdr(scn, &ch)) return UINT64_MAX;
		size = ch.ch_size;
	} else if (!strncmp(name, ".zdebug", 7)) {
		uint8_t z[12];
		if (pread(fd, z, sizeof z, (off_t)sh->sh_offset) != sizeof z) return UINT64_MAX;
		size = 0;
		for (int i = 4; i < 12; i++) size = size << 8 | z[i];
	}
	return size / RATIO_MAX > sh->sh_size ? UINT64_MAX : size;
}

static void read_link(Elf_Scn *scn, struct vetted *v)
{
	Elf_Data *d = elf_rawdata(scn, NULL);
	if (!d || !d->d_buf || d->d_size < 5) return;
	size_t len = strnlen(d->d_buf, d->d_size), at = (len + 4) & ~(size_t)3;
	if (!len || len >= sizeof v->link || at + 4 > d->d_size || memchr(d->d_buf, '/', len)) return;
	memcpy(v->link, d->d_buf, len + 1);
	memcpy(&v->link_crc, (char *)d->d_buf + at, 4);
}

static int sections(Elf *elf, uint64_t file_size, struct vetted *v)
{
	size_t names, n = 0;
	uint64_t total = 0;
	if (elf_getshdrstrndx(elf, &names)) return 0;           /* no sections: nothing to check */
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn)) && n++ < SECTIONS_MAX;) {
		GElf_Shdr sh;
		if (!gelf_getshdr(scn, &sh)) return -1;
		if (sh.sh_type != SHT_NOBITS && (sh.sh_offset > file_size || sh.sh_size > file_size - sh.sh_offset)) continue;
		const char *name = elf_strptr(elf, names, sh.sh_name);
		if (!name) continue;
		uint64_t size = unpacked(scn, &sh, name, v->fd);
		if (size > unpacked_max || (total += size) > unpacked_max) return -1;
		if (sh.sh_type == SHT_NOBITS) continue;
		if (!strcmp(name, ".debug_info") || !strcmp(name, ".zdebug_info")) v->has_dwarf = 1;
		else if (!strcmp(name, ".gnu_debuglink")) read_link(scn, v);
	}
	return 0;
}

int vet(int fd, struct vetted *v)
{
	struct stat st;
	*v = (struct vetted){.fd = -1};
	if (fd < 0) return -1;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || (uint64_t)st.st_size > file_max || !header_ok(fd)) goto bad;
	int settled = settle(fd, &st);
	if (settled < 0) goto bad;
	v->fd = fd = settled;
	v->identity = identity_of(&st);

	elf_version(EV_CURRENT);
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf) goto bad;
	const void *id;
	ssize_t n = elf_kind(elf) == ELF_K_ELF ? dwelf_elf_gnu_build_id(elf, &id) : -1;
	if (n > 0 && (size_t)n <= sizeof v->build_id) {
		memcpy(v->build_id, id, (size_t)n);
		v->build_id_size = (unsigned)n;
	}
	int good = elf_kind(elf) == ELF_K_ELF && !sections(elf, (uint64_t)st.st_size, v);
	elf_end(elf);
	if (good) return 0;
bad:
	close(fd);
	v->fd = -1;
	return -1;
}

void vet_close(struct vetted *v)
{
	if (v->fd >= 0) close(v->fd);
	v->fd = -1;
}

int vet_is(const struct vetted *v, const uint8_t *build_id, unsigned size)
{
	return !size || (size == v->build_id_size && !memcmp(build_id, v->build_id, size));
}

int vet_crc(const struct vetted *v, uint32_t *crc)
{
	enum { PIECE = 1 << 18 };
	unsigned char *buf = xmalloc(PIECE);
	uLong c = crc32(0, NULL, 0);
	off_t at = 0;
	ssize_t r;
	while ((r = pread(v->fd, buf, PIECE, at)) > 0) {
		c = crc32(c, buf, (uInt)r);
		at += r;
	}
	free(buf);
	*crc = (uint32_t)c;
	return r < 0 ? -1 : 0;
}
