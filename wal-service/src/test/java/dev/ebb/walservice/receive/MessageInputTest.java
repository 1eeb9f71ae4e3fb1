package dev.ebb.walservice.receive;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.Random;
import org.junit.jupiter.api.Test;

class MessageInputTest {
  private static byte[] message(char type, int bodyBytes, long seed) {
    byte[] body = new byte[bodyBytes];
    new Random(seed).nextBytes(body);
    return ByteBuffer.allocate(5 + bodyBytes)
        .put((byte) type)
        .putInt(4 + bodyBytes)
        .put(body)
        .array();
  }

  private static byte[] concatenated(byte[]... messages) {
    var all = new ByteArrayOutputStream();
    for (byte[] message : messages) {
      all.writeBytes(message);
    }
    return all.toByteArray();
  }

  @Test
  void aReaderThatBuffersNeverHoldsAnotherMessage() throws Exception {
    byte[] first = message('R', 4, 1);
    byte[] second = message('d', 300, 2);
    var messages = new MessageInput(new ByteArrayInputStream(concatenated(first, second)));
    var reader = new BufferedInputStream(messages, 8192);
    assertThat(reader.readNBytes(first.length)).isEqualTo(first);
    assertThat(reader.available()).isZero();
    assertThat(messages.hasMore()).isTrue();
    assertThat(reader.readNBytes(second.length)).isEqualTo(second);
    assertThat(messages.hasMore()).isFalse();
    assertThat(reader.read()).isEqualTo(-1);
  }

  @Test
  void thereIsNotMoreWithinAMessage() throws Exception {
    byte[] first = message('d', 10, 1);
    var messages = new MessageInput(new ByteArrayInputStream(concatenated(first, first)));
    assertThat(messages.readNBytes(6)).hasSize(6);
    assertThat(messages.hasMore()).isFalse();
    assertThat(messages.readNBytes(9)).hasSize(9);
    assertThat(messages.hasMore()).isTrue();
  }

  @Test
  void messagesOfAnySizeComeWholeFromAStreamInPieces() throws Exception {
    var random = new Random(7);
    var all = new ByteArrayOutputStream();
    for (int i = 0; i < 200; i++) {
      int size = i % 20 == 0 ? 200_000 + i : random.nextInt(2_000);
      all.writeBytes(message('d', size, i));
    }
    byte[] bytes = all.toByteArray();
    // Gives some of what is asked for, as a socket does.
    InputStream pieces =
        new ByteArrayInputStream(bytes) {
          @Override
          public synchronized int read(byte[] into, int offset, int length) {
            return super.read(into, offset, Math.min(length, 1 + random.nextInt(9_000)));
          }
        };
    assertThat(new MessageInput(pieces).readAllBytes()).isEqualTo(bytes);
  }

  @Test
  void oneByteAtATimeIsPossible() throws Exception {
    byte[] bytes = concatenated(message('Z', 1, 1), message('E', 3, 2));
    var messages = new MessageInput(new ByteArrayInputStream(bytes));
    for (byte expected : bytes) {
      assertThat(messages.read()).isEqualTo(expected & 0xFF);
    }
    assertThat(messages.read()).isEqualTo(-1);
  }

  @Test
  void messageThatIsCutOffOrCannotBeIsAnError() {
    var cut = new MessageInput(new ByteArrayInputStream(new byte[] {'d', 0, 0}));
    assertThatThrownBy(cut::read).isInstanceOf(EOFException.class);
    var impossible = new MessageInput(new ByteArrayInputStream(new byte[] {'d', 0, 0, 0, 3, 1}));
    assertThatThrownBy(impossible::read).isInstanceOf(IOException.class).hasMessageContaining("3");
  }
}
