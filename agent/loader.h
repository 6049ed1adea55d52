/* loader.h: for the helper thread: looks whether objects came or went. Never while the program forks: the loader's lock would be held in
 * the child by a thread that is not there, and its next dlopen would wait for ever. */
#ifndef AGENT_LOADER_H
#define AGENT_LOADER_H

void loader_look(void);

#endif
