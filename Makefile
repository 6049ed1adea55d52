# alloctop: `make` builds, `make check` proves, `make demo` shows, `make bench` measures, `make fuzz` attacks, `make install`.
# Adding a source file or a test never edits this. V=1 shows the commands.

CC ?= gcc
CXX ?= g++
OBJCOPY ?= objcopy
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
DESTDIR ?=
BUILD := build
Q := $(if $(V),,@)

WARN := -Wall -Wextra -Wshadow -Wpointer-arith -Wvla
WARN_C := $(WARN) -Wstrict-prototypes -Wmissing-prototypes
INC := -D_GNU_SOURCE -I. -I$(BUILD)
STD := -std=gnu11 $(INC)

# of the files that end in a processor's name only ours
ARCH := $(shell uname -m)
ours = $(filter-out %_x86_64.c %_aarch64.c,$(1)) $(filter %_$(ARCH).c,$(1))

# the command: everything under cmd, tui and inspect
CMD_SRC := $(call ours,$(wildcard cmd/*.c tui/*.c inspect/*/*.c))
CMD_OBJ := $(CMD_SRC:%.c=$(BUILD)/%.o) $(BUILD)/inspect/format/profile.pb-c.o
LIB_OBJ := $(filter-out $(BUILD)/cmd/%,$(CMD_OBJ))
CMD_LIBS = $(shell pkg-config --libs libelf libdw zlib libprotobuf-c jansson) -lncursesw -ltinfo -liberty -lZydis -lpfm -lm -lpthread

# the agent: freestanding, one file for every libc. It comes in three kinds, and NAME_attach.c (put into a running process) or NAME_link.c
# (linked into a program) stands in the place of NAME.c in its kind
AGENT_SRC := $(call ours,$(wildcard agent/*.c))
AGENT_PLAIN := $(filter-out %_attach.c %_link.c,$(AGENT_SRC))
kind = $(filter %_$(1).c,$(AGENT_SRC)) $(filter-out $(patsubst %_$(1).c,%.c,$(filter %_$(1).c,$(AGENT_SRC))),$(AGENT_PLAIN))
AGENT_OBJ := $(AGENT_PLAIN:%.c=$(BUILD)/%.o)
LINK_OBJ := $(patsubst agent/%.c,$(BUILD)/agent/link/%.o,$(call kind,link))
ATTACH_OBJ := $(patsubst agent/%.c,$(BUILD)/agent/attach/%.o,$(filter-out agent/loader.c agent/reserved.c,$(call kind,attach)))
AGENT_CFLAGS := -std=gnu11 -ffreestanding -fno-builtin -fPIC -fvisibility=hidden -ftls-model=initial-exec -fno-stack-protector \
	-fno-plt -fcf-protection=none -fasynchronous-unwind-tables -fomit-frame-pointer -U_FORTIFY_SOURCE -I.
AGENT_LDFLAGS := -shared -nostdlib -Wl,-z,nodelete,-z,now,-z,relro,-z,noexecstack -Wl,--hash-style=both -Wl,--build-id \
	-Wl,-Bsymbolic

all: $(BUILD)/alloctop $(BUILD)/liballoctop.so $(BUILD)/alloctop-attach.so $(BUILD)/liballoctop.a

$(BUILD)/alloctop: $(CMD_OBJ)
	@echo "  LD   $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(CMD_OBJ) $(CMD_LIBS)

$(BUILD)/liballoctop.so: $(AGENT_OBJ)
	@echo "  LD   $@"
	$(Q)$(CC) $(CFLAGS) $(AGENT_LDFLAGS) -Wl,-soname,$(@F) -o $@ $(AGENT_OBJ)

$(BUILD)/alloctop-attach.so: $(ATTACH_OBJ)
	@echo "  LD   $@"
	$(Q)$(CC) $(CFLAGS) $(AGENT_LDFLAGS) -Wl,-soname,$(@F) -Wl,-z,defs -o $@ $(ATTACH_OBJ)

# one object, of which the program sees the entry points alone; its code in a section of its own, so that stacks can leave it out
$(BUILD)/liballoctop.a: $(LINK_OBJ)
	@echo "  AR   $@"
	$(Q)$(LD) -r -o $(BUILD)/agent/link/whole.o $(LINK_OBJ)
	$(Q)$(OBJCOPY) --localize-hidden --rename-section .text=alloctop_text --rename-section .text.unlikely=alloctop_text \
		$(BUILD)/agent/link/whole.o $(BUILD)/agent/link/alloctop.o
	$(Q)rm -f $@ && $(AR) rcs $@ $(BUILD)/agent/link/alloctop.o

$(BUILD)/agent/link/%.o: agent/%.c
	@mkdir -p $(@D)
	@echo "  CC   $< (link)"
	$(Q)$(CC) $(CFLAGS) $(WARN_C) $(AGENT_CFLAGS) -DAGENT_LINKED -MMD -MP -c -o $@ $<

$(BUILD)/agent/attach/%.o: agent/%.c
	@mkdir -p $(@D)
	@echo "  CC   $< (attach)"
	$(Q)$(CC) $(CFLAGS) $(WARN_C) $(AGENT_CFLAGS) -DAGENT_ATTACHED -MMD -MP -c -o $@ $<

$(BUILD)/agent/%.o: agent/%.c
	@mkdir -p $(@D)
	@echo "  CC   $<"
	$(Q)$(CC) $(CFLAGS) $(WARN_C) $(AGENT_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC   $<"
	$(Q)$(CC) $(CFLAGS) $(WARN_C) $(STD) -MMD -MP -c -o $@ $<

# pprof's message format, through protobuf-c
$(BUILD)/inspect/format/profile.pb-c.c: inspect/format/profile.proto
	@mkdir -p $(@D)
	$(Q)protoc-c --proto_path=inspect/format --c_out=$(@D) $<
$(BUILD)/inspect/format/profile.pb-c.o: $(BUILD)/inspect/format/profile.pb-c.c
	$(Q)$(CC) $(CFLAGS) $(STD) -MMD -MP -c -o $@ $<
$(BUILD)/inspect/format/pprof.o $(BUILD)/inspect/format/pprof_read.o: $(BUILD)/inspect/format/profile.pb-c.c

# the page's assets are in html.o as they are
$(BUILD)/inspect/format/html.o: $(wildcard inspect/format/html/*)

# What a test (or a benchmark) says of itself, in lines such as "/* LINK: inspect agent/unwind.c */" (default: inspect, which stands for all of
# inspect/), "/* CFLAGS: -O1 */", "/* LDLIBS: $(pkg-config --libs libunwind) */", "/* SUBJECT: no-musl */".
say = $(shell sed -n 's,^/\* $(1): *\(.*[^ ]\) *\*/.*,\1,p' $(2))
objects = $(foreach l,$(or $(call say,LINK,$(1)),inspect),$(if $(filter inspect,$l),$(LIB_OBJ),$(patsubst %.c,$(BUILD)/%.o,$(l:$(BUILD)/%=%))))

UNIT := $(basename $(wildcard tests/unit/*.c tests/unit/*.cc))
SUBJECT := $(basename $(wildcard tests/subject/*.c tests/subject/*.cc))
MUSL = $(filter-out $(basename $(shell grep -ls '^/\* SUBJECT:.*no-musl' tests/subject/*.c)),$(basename $(wildcard tests/subject/*.c)))
FUZZ := $(basename $(wildcard tests/fuzz/*.c))
SANITIZE := -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined

unit: $(UNIT:%=$(BUILD)/%)
subject: $(SUBJECT:%=$(BUILD)/%) $(MUSL:%=$(BUILD)/%.musl)
harness: $(FUZZ:%=$(BUILD)/%)

.SECONDEXPANSION:
$(BUILD)/tests/%: tests/%.c $$(call objects,tests/$$*.c)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(WARN_C) $(STD) $(call say,CFLAGS,$<) -MMD -MP -o $@ $< $(call objects,$<) $(call say,LDLIBS,$<) $(CMD_LIBS)
$(BUILD)/tests/unit/%: tests/unit/%.cc $$(call objects,tests/unit/$$*.cc)
	@mkdir -p $(@D)
	$(Q)$(CXX) $(CFLAGS) $(WARN) $(INC) $(call say,CFLAGS,$<) -MMD -MP -o $@ $< $(call objects,$<) $(call say,LDLIBS,$<) $(CMD_LIBS)
$(BUILD)/tests/subject/%: tests/subject/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(WARN) $(STD) $(call say,CFLAGS,$<) -o $@ $< $(call say,LDLIBS,$<) -lpthread
$(BUILD)/tests/subject/%: tests/subject/%.cc
	@mkdir -p $(@D)
	$(Q)$(CXX) $(CFLAGS) $(WARN) $(INC) $(call say,CFLAGS,$<) -o $@ $< $(call say,LDLIBS,$<) -lpthread
$(BUILD)/tests/subject/%.musl: tests/subject/%.c
	@mkdir -p $(@D)
	$(Q)musl-gcc $(CFLAGS) $(WARN) $(STD) $(call say,CFLAGS,$<) -o $@ $< $(call say,LDLIBS,$<) -lpthread
$(BUILD)/tests/bench/program/%: tests/bench/program/%.c tests/bench/program/bench.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(WARN_C) $(STD) -o $@ $< $(call say,LDLIBS,$<) -lpthread
$(BUILD)/tests/bench/program/%.musl: tests/bench/program/%.c tests/bench/program/bench.h
	@mkdir -p $(@D)
	$(Q)musl-gcc $(CFLAGS) $(WARN_C) $(STD) -o $@ $< $(call say,LDLIBS,$<) -lpthread
$(BUILD)/tests/fuzz/%: tests/fuzz/%.c $$(call say,LINK,tests/fuzz/$$*.c) $(wildcard agent/*.h inspect/*/*.h tests/*.h)
	@mkdir -p $(@D)
	$(Q)clang -O1 -g $(SANITIZE) $(STD) $(call say,CFLAGS,$<) -o $@ $(filter %.c,$^) $(call say,LDLIBS,$<)
$(BUILD)/tests/guard: tests/guard.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(WARN_C) $(STD) -o $@ $<

deps:
	$(Q)tests/deps check
check:
	$(Q)tests/run
demo:
	$(Q)tests/demo
bench:
	$(Q)tests/bench/run
fuzz:
	$(Q)tests/fuzz/run

MANDIR = $(DESTDIR)$(PREFIX)/share/man
SHARE = $(DESTDIR)$(PREFIX)/share
VERSION = $(shell sed -n 's/.*ALLOCTOP_VERSION "\(.*\)"/\1/p' cmd/cmd.h)
COMPLETIONS = $(SHARE)/bash-completion/completions/alloctop $(SHARE)/zsh/site-functions/_alloctop $(SHARE)/fish/vendor_completions.d/alloctop.fish
install: all
	install -D -m 755 $(BUILD)/alloctop $(DESTDIR)$(PREFIX)/bin/alloctop
	set -e; for f in liballoctop.so alloctop-attach.so liballoctop.a; do install -D -m 644 $(BUILD)/$$f $(DESTDIR)$(PREFIX)/lib/alloctop/$$f; done
	mkdir -p $(DESTDIR)$(PREFIX)/lib/pkgconfig
	sed 's,@PREFIX@,$(PREFIX),; s,@VERSION@,$(VERSION),' agent/alloctop.pc.in >$(DESTDIR)$(PREFIX)/lib/pkgconfig/alloctop.pc
	set -e; for m in man/*.[1-8]; do install -D -m 644 $$m $(MANDIR)/man$${m##*.}/$${m##*/}; done
	set -e; set -- bash zsh fish; for f in $(COMPLETIONS); do mkdir -p $${f%/*}; $(BUILD)/alloctop completion $$1 >$$f; shift; done
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/alloctop $(COMPLETIONS) $(DESTDIR)$(PREFIX)/lib/pkgconfig/alloctop.pc
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/lib/alloctop/,liballoctop.so alloctop-attach.so liballoctop.a)
	for m in man/*.[1-8]; do rm -f $(MANDIR)/man$${m##*.}/$${m##*/}; done
	-rmdir $(DESTDIR)$(PREFIX)/lib/alloctop

clean:
	rm -rf $(BUILD)

-include $(CMD_OBJ:.o=.d) $(AGENT_OBJ:.o=.d) $(ATTACH_OBJ:.o=.d) $(LINK_OBJ:.o=.d) $(UNIT:%=$(BUILD)/%.d)
.PHONY: all unit subject harness deps check demo bench fuzz install uninstall clean
