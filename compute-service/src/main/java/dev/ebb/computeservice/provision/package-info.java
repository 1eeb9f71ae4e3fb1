/** Makes databases out of the template snapshot, the template out of {@code initdb}, and drops. */
@NullMarked
package dev.ebb.computeservice.provision;

import org.jspecify.annotations.NullMarked;
