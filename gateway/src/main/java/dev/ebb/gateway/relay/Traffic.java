package dev.ebb.gateway.relay;

import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.concurrent.atomic.LongAdder;

/** How many bytes went each way, of all sessions together. */
public final class Traffic {
  final LongAdder fromClients = new LongAdder();
  final LongAdder toClients = new LongAdder();

  public Traffic(MeterRegistry meters) {
    register(meters, "in", fromClients);
    register(meters, "out", toClients);
  }

  /** Bytes came from a client. */
  public void in(int bytes) {
    fromClients.add(bytes);
  }

  /** Bytes go to a client. */
  public void out(int bytes) {
    toClients.add(bytes);
  }

  private static void register(MeterRegistry meters, String direction, LongAdder bytes) {
    FunctionCounter.builder("ebb.gateway.bytes", bytes, LongAdder::sum)
        .description("Bytes relayed, in: from clients, out: to clients")
        .baseUnit("bytes")
        .tag("direction", direction)
        .register(meters);
  }
}
