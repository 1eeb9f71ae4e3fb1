/**
 * The host's limit on what its computes keep on the local disk: who is over it gives clean blocks
 * back, which are fetched again when somebody reads them.
 */
@NullMarked
package dev.ebb.computeservice.localcache;

import org.jspecify.annotations.NullMarked;
