/** Cancel requests: the gateway's own keys and the backends behind them. */
@NullMarked
package dev.ebb.gateway.cancel;

import org.jspecify.annotations.NullMarked;
