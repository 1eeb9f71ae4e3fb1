package dev.ebb.gateway.listen;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

final class ListeningSocketsTest {
  private static final List<String> TABLE =
      List.of(
          "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid"
              + "  timeout inode",
          "   0: 0100007F:1920 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000"
              + "        0 4711 1 0000000000000000 100 0 0 10 0",
          "   1: 0100007F:1920 0100007F:C0DE 01 00000000:00000000 00:00000000 00000000  1000"
              + "        0 4712 1 0000000000000000 100 0 0 10 0",
          "   2: 00000000:1921 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000"
              + "        0 4713 1 0000000000000000 100 0 0 10 0");

  @Test
  void onlyThoseThatListenOnThePortAreFound() {
    assertThat(ListeningSockets.inodes(TABLE, 6432)).containsExactly("4711");
    assertThat(ListeningSockets.inodes(TABLE, 6433)).containsExactly("4713");
    assertThat(ListeningSockets.inodes(TABLE, 80)).isEmpty();
  }
}
