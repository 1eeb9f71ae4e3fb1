/**
 * PostgreSQL's streaming replication protocol as a server speaks it: messages as values, a parser
 * of replication commands. Pure: bytes in, values out, and the reverse; no sockets. No input takes
 * more memory than its named bound. Sources: PostgreSQL's chapters "Streaming Replication Protocol"
 * and "Message Formats"; {@code src/backend/replication/walsender.c}, {@code repl_gram.y}, {@code
 * repl_scanner.l}.
 */
@NullMarked
package dev.ebb.walservice.protocol;

import org.jspecify.annotations.NullMarked;
