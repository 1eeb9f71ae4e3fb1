package dev.ebb.scalerservice.event;

import dev.ebb.shared.bus.ScalerMessage.ScaleEvent;
import io.vertx.core.json.JsonObject;
import java.nio.charset.StandardCharsets;

/** A scale event as it stands in Kafka: one JSON object, UTF-8, with a version. */
final class EventJson {
  private static final int FORMAT_VERSION = 1;

  private EventJson() {}

  static byte[] encode(ScaleEvent event) {
    return new JsonObject()
        .put("formatVersion", FORMAT_VERSION)
        .put("id", event.id())
        .put("epochMs", event.epochMs())
        .put("branch", event.branch().value())
        .put("action", event.action().name())
        .put("outcome", event.outcome().name())
        .put("reason", event.reason())
        .put("inputs", event.inputs())
        .encode()
        .getBytes(StandardCharsets.UTF_8);
  }
}
