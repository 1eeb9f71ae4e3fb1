/** Which host a request is for: the one that runs the branch, or one with room for it. */
@NullMarked
package dev.ebb.computeservice.placement;

import org.jspecify.annotations.NullMarked;
