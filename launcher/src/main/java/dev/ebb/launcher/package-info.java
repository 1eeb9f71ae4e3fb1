/**
 * The {@code ebb} command. {@code client} talks to a server's HTTP API, {@code config} reads the
 * configuration, {@code up} runs services, {@code cli} holds the commands over those three.
 */
@NullMarked
package dev.ebb.launcher;

import org.jspecify.annotations.NullMarked;
