/**
 * What others wrote for PostgreSQL, run against it directly and through the gateway's two ports: a
 * client's own test suite, PostgreSQL's programs, and drivers as their documentation shows them.
 */
@NullMarked
package dev.ebb.gateway.compat;

import org.jspecify.annotations.NullMarked;
