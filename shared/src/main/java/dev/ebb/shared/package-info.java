/**
 * What the services share: values, bus messages, ports and the catalog. No service logic lives
 * here.
 */
@NullMarked
package dev.ebb.shared;

import org.jspecify.annotations.NullMarked;
