package dev.ebb.shared.bus;

import dev.ebb.shared.model.BranchId;

/** What the scaler says. */
public sealed interface ScalerMessage extends BusMessage {

  /**
   * A decision, published on {@link Addresses#SCALE_EVENTS} and appended to the Kafka topic {@code
   * ebb-scale-events}.
   *
   * @param id unique; a repeated event is known by it
   * @param reason in words
   * @param inputs the figures that it was decided on, in words
   */
  record ScaleEvent(
      String id,
      long epochMs,
      BranchId branch,
      Action action,
      String reason,
      String inputs,
      Outcome outcome)
      implements ScalerMessage {}

  /** What is to be done. */
  enum Action {
    SUSPEND
  }

  /** How far it got. */
  enum Outcome {
    DECIDED,
    DONE,
    REFUSED,
    FAILED
  }
}
