/**
 * Transaction pooling: many clients share few connections to a compute, each for one transaction.
 *
 * <p>{@code PooledClient} follows what a client sends, {@code PooledServer} what a compute answers;
 * {@code Pool} brings the two together for the length of a transaction. What a client's statements
 * leave behind in their session goes with the client: protocol-level prepared statements ({@code
 * Statements}) are prepared again where they are missing, settings ({@code SessionSettings}) are
 * read where a statement may have changed them ({@code SqlTraits}, {@code SessionProbe}) and set
 * again where they differ. What cannot go along pins the connection to its client.
 */
@NullMarked
package dev.ebb.gateway.pool;

import org.jspecify.annotations.NullMarked;
