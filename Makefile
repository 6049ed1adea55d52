# alloctop: `make` builds, `make check` proves, `make demo` shows, `make bench` measures. Adding a source file never edits this.
# V=1 shows the commands.

CC ?= gcc
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
DESTDIR ?=
BUILD := build
Q := $(if $(V),,@)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
PKGS := libelf libdw ncursesw libpfm zlib libprotobuf-c jansson
STD := -std=gnu11 -D_GNU_SOURCE -I. -I$(BUILD)

# the command: everything under cmd, tui and inspect
CMD_SRC := $(wildcard cmd/*.c tui/*.c inspect/*/*.c)
CMD_OBJ := $(CMD_SRC:%.c=$(BUILD)/%.o) $(BUILD)/inspect/format/profile.pb-c.o
LIB_OBJ := $(filter-out $(BUILD)/cmd/%,$(CMD_OBJ))
CMD_LIBS = $(shell pkg-config --libs libelf libdw zlib libprotobuf-c jansson) -lncursesw -ltinfo -liberty -lm -lpthread

# the agent: freestanding, one file for every libc
ARCH := $(shell uname -m)
AGENT_SRC := $(filter-out agent/%_x86_64.c agent/%_aarch64.c,$(wildcard agent/*.c)) $(wildcard agent/*_$(ARCH).c)
AGENT_OBJ := $(AGENT_SRC:%.c=$(BUILD)/%.o)
AGENT_CFLAGS := -std=gnu11 -ffreestanding -fno-builtin -fPIC -fvisibility=hidden -ftls-model=initial-exec -fno-stack-protector \
	-fno-plt -fcf-protection=none -fasynchronous-unwind-tables -fomit-frame-pointer -U_FORTIFY_SOURCE -I.
AGENT_LDFLAGS := -shared -nostdlib -Wl,-z,nodelete,-z,now,-z,relro,-z,noexecstack -Wl,--hash-style=both -Wl,--build-id \
	-Wl,--version-script=agent/exports.map -Wl,-soname,liballoctop.so -Wl,-Bsymbolic

all: $(BUILD)/alloctop $(BUILD)/liballoctop.so

$(BUILD)/alloctop: $(CMD_OBJ)
	@echo "  LD   $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(CMD_OBJ) $(CMD_LIBS)

$(BUILD)/liballoctop.so: $(AGENT_OBJ) agent/exports.map
	@echo "  LD   $@"
	$(Q)$(CC) $(CFLAGS) $(AGENT_LDFLAGS) -o $@ $(AGENT_OBJ)

$(BUILD)/agent/%.o: agent/%.c
	@mkdir -p $(@D)
	@echo "  CC   $<"
	$(Q)$(CC) $(CFLAGS) $(WARN) $(AGENT_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC   $<"
	$(Q)$(CC) $(CFLAGS) $(WARN) $(STD) -MMD -MP -c -o $@ $<

# pprof's message format, through protobuf-c
$(BUILD)/inspect/format/profile.pb-c.c: inspect/format/profile.proto
	@mkdir -p $(@D)
	$(Q)protoc-c --proto_path=inspect/format --c_out=$(@D) $<
$(BUILD)/inspect/format/profile.pb-c.o: $(BUILD)/inspect/format/profile.pb-c.c
	$(Q)$(CC) $(CFLAGS) $(STD) -MMD -MP -c -o $@ $<
$(BUILD)/inspect/format/pprof.o $(BUILD)/inspect/format/pprof_read.o: $(BUILD)/inspect/format/profile.pb-c.c

deps:
	$(Q)tests/deps

check: tests/run
	$(Q)tests/run

demo:
	$(Q)tests/demo

bench: all
	$(Q)tests/bench/run

fuzz:
	$(Q)tests/fuzz/run

clean:
	rm -rf $(BUILD)

-include $(CMD_OBJ:.o=.d) $(AGENT_OBJ:.o=.d)
.PHONY: all deps check demo bench fuzz install uninstall clean
