/**
 * The messages of PostgreSQL's protocol 3.2 that the gateway reads and writes itself, each as a
 * record, and decoders that bound every length. See the protocol chapter of PostgreSQL's manual,
 * "Message Formats".
 */
@NullMarked
package dev.ebb.gateway.protocol;

import org.jspecify.annotations.NullMarked;
