package dev.ebb.shared.bus;

/**
 * A message that is answered.
 *
 * @param <R> the answer, where no error is
 */
public non-sealed interface Request<R extends BusMessage> extends BusMessage {}
