package dev.ebb.gateway.listen;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

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

  private static Map<String, String> listening(String address, int port) {
    return ListeningSockets.listening(
        TABLE, ListeningSockets.written(new InetAddress[] {InetAddress.ofLiteral(address)}, port));
  }

  @Test
  @EnabledIf("isLittleEndian")
  void onlyThoseThatListenAtTheAddressAreFound() {
    assertThat(listening("127.0.0.1", 6432)).isEqualTo(Map.of("4711", "0100007F:1920"));
    assertThat(listening("127.0.0.2", 6432)).isEmpty();
    assertThat(listening("0.0.0.0", 6433)).isEqualTo(Map.of("4713", "00000000:1921"));
    assertThat(listening("127.0.0.1", 6433)).isEmpty();
    assertThat(listening("127.0.0.1", 80)).isEmpty();
    assertThat(ListeningSockets.written(new InetAddress[] {InetAddress.ofLiteral("::1")}, 6432))
        .containsExactly("00000000000000000000000001000000:1920");
    assertThat(
            ListeningSockets.written(new InetAddress[] {InetAddress.ofLiteral("127.0.0.1")}, 6432))
        .contains("0000000000000000FFFF00000100007F:1920");
  }

  static boolean isLittleEndian() {
    return ByteOrder.nativeOrder().equals(ByteOrder.LITTLE_ENDIAN);
  }
}
