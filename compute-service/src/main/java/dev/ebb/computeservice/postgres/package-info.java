/**
 * PostgreSQL itself, as Ebb runs it: its binaries, the OS user it runs as, its control file and WAL
 * segments on disk, its settings and its process. Nothing in here knows the bus or a snapshot's
 * storage.
 */
@NullMarked
package dev.ebb.computeservice.postgres;

import org.jspecify.annotations.NullMarked;
