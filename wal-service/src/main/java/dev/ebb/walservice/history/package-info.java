/**
 * The branches' history read back from their topics, for recovery: where it ends, and its bytes.
 */
@NullMarked
package dev.ebb.walservice.history;

import org.jspecify.annotations.NullMarked;
