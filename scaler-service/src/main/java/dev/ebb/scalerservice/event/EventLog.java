package dev.ebb.scalerservice.event;

import dev.ebb.shared.bus.ScalerMessage.ScaleEvent;

/** Where scale events are kept. */
public interface EventLog extends AutoCloseable {
  /** Takes the event and returns at once; it may be lost, which is counted. */
  void append(ScaleEvent event);

  /** Writes what was taken, for a bounded time; blocks. */
  @Override
  void close();
}
