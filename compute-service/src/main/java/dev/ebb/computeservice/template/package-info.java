/**
 * Where a database begins: the cluster that {@code initdb} makes once per major version, and the
 * reading of any cleanly stopped data directory into what a manifest is made of.
 */
@NullMarked
package dev.ebb.computeservice.template;

import org.jspecify.annotations.NullMarked;
