package dev.ebb.scalerservice.event;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.bus.ScalerMessage.Action;
import dev.ebb.shared.bus.ScalerMessage.Outcome;
import dev.ebb.shared.bus.ScalerMessage.ScaleEvent;
import dev.ebb.shared.model.BranchId;
import org.junit.jupiter.api.Test;

final class EventJsonTest {
  @Test
  void eventHasTheseVeryBytes() {
    var event =
        new ScaleEvent(
            "1/done",
            1_700_000_000_000L,
            new BranchId("b1"),
            Action.SUSPEND,
            "captured in 5 µs",
            "idle \"10\" ms",
            Outcome.DONE);

    assertThat(new String(EventJson.encode(event), UTF_8))
        .isEqualTo(
            "{\"formatVersion\":1,\"id\":\"1/done\",\"epochMs\":1700000000000,\"branch\":\"b1\","
                + "\"action\":\"SUSPEND\",\"outcome\":\"DONE\",\"reason\":\"captured in 5 µs\","
                + "\"inputs\":\"idle \\\"10\\\" ms\"}");
  }
}
