"""Networks as the examples of PyTorch have them (github.com/pytorch/examples), reduced in size."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Mnist(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, 1)
        self.conv2 = nn.Conv2d(8, 8, 3, 1)
        self.dropout1 = nn.Dropout(0.25)
        self.dropout2 = nn.Dropout(0.5)
        self.fc1 = nn.Linear(1152, 16)
        self.fc2 = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        x = F.relu(x)
        x = self.conv2(x)
        x = F.relu(x)
        x = F.max_pool2d(x, 2)
        x = self.dropout1(x)
        x = torch.flatten(x, 1)
        x = self.fc1(x)
        x = F.relu(x)
        x = self.dropout2(x)
        x = self.fc2(x)
        return F.log_softmax(x, dim=1)


class MnistRnn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(input_size=28, hidden_size=16, batch_first=True)
        self.batchnorm = nn.BatchNorm1d(16)
        self.dropout1 = nn.Dropout2d(0.25)
        self.dropout2 = nn.Dropout2d(0.5)
        self.fc1 = nn.Linear(16, 8)
        self.fc2 = nn.Linear(8, 10)

    def forward(self, input: Tensor) -> Tensor:
        input = input.reshape(-1, 28, 28)
        output, _hidden = self.rnn(input)
        output = output[:, -1, :]
        output = self.batchnorm(output)
        output = self.fc1(output)
        output = F.relu(output)
        output = self.fc2(output)
        return F.log_softmax(output, dim=1)


class Vae(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(784, 40)
        self.fc21 = nn.Linear(40, 20)
        self.fc22 = nn.Linear(40, 20)
        self.fc3 = nn.Linear(20, 40)
        self.fc4 = nn.Linear(40, 784)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu: Tensor, logvar: Tensor) -> Tensor:
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std)
        return mu + eps * std

    def decode(self, z: Tensor) -> Tensor:
        h3 = F.relu(self.fc3(z))
        return torch.sigmoid(self.fc4(h3))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mu, logvar = self.encode(x.view(-1, 784))
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar


class Generator(nn.Module):
    def __init__(self, nz: int = 10, ngf: int = 4) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(nz, ngf * 8, 4, 1, 0, bias=False),
            nn.BatchNorm2d(ngf * 8),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 8, ngf * 4, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ngf * 4),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 4, ngf * 2, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ngf * 2),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 2, 3, 4, 2, 1, bias=False),
            nn.Tanh(),
        )

    def forward(self, input: Tensor) -> Tensor:
        return self.main(input)


class Discriminator(nn.Module):
    def __init__(self, ndf: int = 4) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(3, ndf, 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf, ndf * 2, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ndf * 2),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf * 2, 1, 4, 1, 0, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, input: Tensor) -> Tensor:
        return self.main(input).flatten()


class RnnLanguageModel(nn.Module):
    def __init__(self, kind: str = "LSTM", ntoken: int = 50, ninp: int = 16, nhid: int = 16) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.5)
        self.encoder = nn.Embedding(ntoken, ninp)
        if kind in ("LSTM", "GRU"):
            self.rnn = getattr(nn, kind)(ninp, nhid, 2, dropout=0.5)
        else:
            self.rnn = nn.RNN(ninp, nhid, 2, nonlinearity={"RNN_TANH": "tanh", "RNN_RELU": "relu"}[kind], dropout=0.5)
        self.decoder = nn.Linear(nhid, ntoken)

    def forward(self, input: Tensor) -> Tensor:
        emb = self.drop(self.encoder(input))
        output, _hidden = self.rnn(emb)
        output = self.drop(output)
        decoded = self.decoder(output)
        return F.log_softmax(decoded.flatten(0, 1), dim=1)


class PositionalEncoding(nn.Module):
    def __init__(self, d_model: int, max_len: int = 100) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.1)
        position = torch.arange(0, max_len, dtype=torch.float).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, d_model, 2).float() * (-math.log(10000.0) / d_model))
        pe = torch.zeros(max_len, d_model)
        pe[:, 0::2] = torch.sin(position * div_term)
        pe[:, 1::2] = torch.cos(position * div_term)
        self.register_buffer("pe", pe.unsqueeze(0).transpose(0, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(x + self.pe[: x.size(0)])


class TransformerLanguageModel(nn.Transformer):
    def __init__(self, ntoken: int = 50, ninp: int = 16, nhead: int = 2, nhid: int = 32, nlayers: int = 2) -> None:
        super().__init__(d_model=ninp, nhead=nhead, dim_feedforward=nhid, num_encoder_layers=nlayers)
        self.pos_encoder = PositionalEncoding(ninp)
        self.input_emb = nn.Embedding(ntoken, ninp)
        self.ninp = ninp
        self.decoder = nn.Linear(ninp, ntoken)

    def forward(self, src: Tensor) -> Tensor:
        mask = torch.log(torch.tril(torch.ones(len(src), len(src))))
        src = self.input_emb(src) * math.sqrt(self.ninp)
        src = self.pos_encoder(src)
        output = self.encoder(src, mask=mask)
        return F.log_softmax(self.decoder(output), dim=-1)


class Seq2SeqTransformer(nn.Module):
    def __init__(self, vocabulary: int = 50, size: int = 16) -> None:
        super().__init__()
        self.transformer = nn.Transformer(size, 2, 2, 2, 32)
        self.generator = nn.Linear(size, vocabulary)
        self.src_tok_emb = nn.Embedding(vocabulary, size)
        self.tgt_tok_emb = nn.Embedding(vocabulary, size)
        self.positional_encoding = PositionalEncoding(size)

    def forward(self, src: Tensor, trg: Tensor) -> Tensor:
        src_emb = self.positional_encoding(self.src_tok_emb(src))
        tgt_emb = self.positional_encoding(self.tgt_tok_emb(trg))
        mask = nn.Transformer.generate_square_subsequent_mask(len(trg))
        return self.generator(self.transformer(src_emb, tgt_emb, None, mask))


class SuperResolution(nn.Module):
    def __init__(self, upscale_factor: int = 2) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.conv1 = nn.Conv2d(1, 16, (5, 5), (1, 1), (2, 2))
        self.conv2 = nn.Conv2d(16, 16, (3, 3), (1, 1), (1, 1))
        self.conv3 = nn.Conv2d(16, 8, (3, 3), (1, 1), (1, 1))
        self.conv4 = nn.Conv2d(8, upscale_factor**2, (3, 3), (1, 1), (1, 1))
        self.pixel_shuffle = nn.PixelShuffle(upscale_factor)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.conv1(x))
        x = self.relu(self.conv2(x))
        x = self.relu(self.conv3(x))
        return self.pixel_shuffle(self.conv4(x))


class Policy(nn.Module):
    """REINFORCE."""

    def __init__(self) -> None:
        super().__init__()
        self.affine1 = nn.Linear(4, 16)
        self.dropout = nn.Dropout(p=0.6)
        self.affine2 = nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.affine1(x)
        x = self.dropout(x)
        x = F.relu(x)
        action_scores = self.affine2(x)
        return F.softmax(action_scores, dim=1)


class ActorCritic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.affine1 = nn.Linear(4, 16)
        self.action_head = nn.Linear(16, 2)
        self.value_head = nn.Linear(16, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = F.relu(self.affine1(x))
        action_prob = F.softmax(self.action_head(x), dim=-1)
        return action_prob, self.value_head(x)


class Siamese(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(1, 4, 5), nn.MaxPool2d(2), nn.Flatten())
        self.fc = nn.Sequential(nn.Linear(1152, 16), nn.ReLU(inplace=True), nn.Linear(16, 1))
        self.sigmoid = nn.Sigmoid()

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        both = torch.cat((self.backbone(input1), self.backbone(input2)), 1)
        return self.sigmoid(self.fc(both))


class GraphAttentionLayer(nn.Module):
    def __init__(self, in_features: int, out_features: int, n_heads: int, concat: bool = False) -> None:
        super().__init__()
        self.n_heads, self.concat = n_heads, concat
        self.n_hidden = out_features // n_heads if concat else out_features
        self.W = nn.Parameter(torch.randn(in_features, self.n_hidden * n_heads))
        self.a = nn.Parameter(torch.randn(n_heads, 2 * self.n_hidden, 1))
        self.leakyrelu = nn.LeakyReLU(0.2)
        self.softmax = nn.Softmax(dim=1)

    def _get_attention_scores(self, h_transformed: Tensor) -> Tensor:
        source_scores = torch.matmul(h_transformed, self.a[:, : self.n_hidden, :])
        target_scores = torch.matmul(h_transformed, self.a[:, self.n_hidden :, :])
        return self.leakyrelu(source_scores + target_scores.mT)

    def forward(self, h: Tensor, adj_mat: Tensor) -> Tensor:
        n_nodes = h.shape[0]
        h_transformed = torch.mm(h, self.W)
        h_transformed = F.dropout(h_transformed, 0.6, training=self.training)
        h_transformed = h_transformed.view(n_nodes, self.n_heads, self.n_hidden).permute(1, 0, 2)
        e = self._get_attention_scores(h_transformed)
        connectivity_mask = -9e16 * torch.ones_like(e)
        e = torch.where(adj_mat > 0, e, connectivity_mask)
        attention = F.softmax(e, dim=-1)
        attention = F.dropout(attention, 0.6, training=self.training)
        h_prime = torch.matmul(attention, h_transformed)
        if self.concat:
            return h_prime.permute(1, 0, 2).contiguous().view(n_nodes, self.n_hidden * self.n_heads)
        return h_prime.mean(dim=0)


class Gat(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gat1 = GraphAttentionLayer(6, 8, 2, concat=True)
        self.gat2 = GraphAttentionLayer(8, 3, 1)

    def forward(self, input_tensor: Tensor, adj_mat: Tensor) -> Tensor:
        x = self.gat1(input_tensor, adj_mat)
        x = F.elu(x)
        x = self.gat2(x, adj_mat)
        return F.log_softmax(x, dim=1)


class GraphConv(nn.Module):
    def __init__(self, input_dim: int, output_dim: int) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(input_dim, output_dim))

    def forward(self, input_tensor: Tensor, adj_mat: Tensor) -> Tensor:
        return torch.mm(adj_mat, torch.mm(input_tensor, self.kernel))


class Gcn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gc1 = GraphConv(6, 8)
        self.gc2 = GraphConv(8, 3)
        self.dropout = nn.Dropout(0.5)

    def forward(self, input_tensor: Tensor, adj_mat: Tensor) -> Tensor:
        x = self.gc1(input_tensor, adj_mat)
        x = F.relu(x)
        x = self.dropout(x)
        x = self.gc2(x, adj_mat)
        return F.log_softmax(x, dim=1)


class ConvLayer(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int, upsample: int = 0) -> None:
        super().__init__()
        self.upsample = upsample
        self.reflection_pad = nn.ReflectionPad2d(kernel_size // 2)
        self.conv2d = nn.Conv2d(in_channels, out_channels, kernel_size, stride)

    def forward(self, x: Tensor) -> Tensor:
        if self.upsample:
            x = F.interpolate(x, mode="nearest", scale_factor=self.upsample)
        return self.conv2d(self.reflection_pad(x))


class StyleResidualBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = ConvLayer(channels, channels, kernel_size=3, stride=1)
        self.in1 = nn.InstanceNorm2d(channels, affine=True)
        self.conv2 = ConvLayer(channels, channels, kernel_size=3, stride=1)
        self.in2 = nn.InstanceNorm2d(channels, affine=True)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        residual = x
        out = self.relu(self.in1(self.conv1(x)))
        out = self.in2(self.conv2(out))
        return out + residual


class FastNeuralStyle(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = ConvLayer(3, 8, kernel_size=9, stride=1)
        self.in1 = nn.InstanceNorm2d(8, affine=True)
        self.conv2 = ConvLayer(8, 16, kernel_size=3, stride=2)
        self.in2 = nn.InstanceNorm2d(16, affine=True)
        self.res1 = StyleResidualBlock(16)
        self.res2 = StyleResidualBlock(16)
        self.deconv1 = ConvLayer(16, 8, kernel_size=3, stride=1, upsample=2)
        self.in4 = nn.InstanceNorm2d(8, affine=True)
        self.deconv2 = ConvLayer(8, 3, kernel_size=9, stride=1)
        self.relu = nn.ReLU()

    def forward(self, X: Tensor) -> Tensor:
        y = self.relu(self.in1(self.conv1(X)))
        y = self.relu(self.in2(self.conv2(y)))
        y = self.res2(self.res1(y))
        y = self.relu(self.in4(self.deconv1(y)))
        return self.deconv2(y)


class Sequence(nn.Module):
    """Prediction of a time sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm1 = nn.LSTMCell(1, 8)
        self.lstm2 = nn.LSTMCell(8, 8)
        self.linear = nn.Linear(8, 1)

    def forward(self, input: Tensor) -> Tensor:
        outputs = []
        h_t, c_t = torch.zeros(input.size(0), 8), torch.zeros(input.size(0), 8)
        h_t2, c_t2 = torch.zeros(input.size(0), 8), torch.zeros(input.size(0), 8)
        for input_t in input.split(1, dim=1):
            h_t, c_t = self.lstm1(input_t, (h_t, c_t))
            h_t2, c_t2 = self.lstm2(h_t, (h_t2, c_t2))
            outputs += [self.linear(h_t2)]
        return torch.cat(outputs, dim=1)


class Snli(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, 8)
        self.projection = nn.Linear(8, 8)
        self.encoder = nn.LSTM(8, 8, 1, bidirectional=True)
        self.dropout = nn.Dropout(0.2)
        self.relu = nn.ReLU()
        size = [32, 32]
        self.out = nn.Sequential(
            nn.Linear(*size), self.relu, self.dropout, nn.Linear(*size), self.relu, self.dropout, nn.Linear(32, 3)
        )

    def encode(self, sentence: Tensor) -> Tensor:
        states, _ = self.encoder(self.relu(self.projection(self.embed(sentence))))
        return states[-1]

    def forward(self, premise: Tensor, hypothesis: Tensor) -> Tensor:
        return self.out(torch.cat([self.encode(premise), self.encode(hypothesis)], 1))


class SpectralConv2d(nn.Module):
    def __init__(self, width: int, modes: int) -> None:
        super().__init__()
        self.width, self.modes = width, modes
        self.weights1 = nn.Parameter(torch.rand(width, width, modes, modes, dtype=torch.cfloat) / width**2)
        self.weights2 = nn.Parameter(torch.rand(width, width, modes, modes, dtype=torch.cfloat) / width**2)

    def forward(self, x: Tensor) -> Tensor:
        x_ft = torch.fft.rfft2(x)
        out = torch.zeros(len(x), self.width, x.size(-2), x.size(-1) // 2 + 1, dtype=torch.cfloat)
        k = self.modes
        out[:, :, :k, :k] = torch.einsum("bixy,ioxy->boxy", x_ft[:, :, :k, :k], self.weights1)
        out[:, :, -k:, :k] = torch.einsum("bixy,ioxy->boxy", x_ft[:, :, -k:, :k], self.weights2)
        return torch.fft.irfft2(out, s=x.shape[-2:])


class Fno(nn.Module):
    """A Fourier neural operator in two dimensions."""

    def __init__(self, width: int = 8, modes: int = 4) -> None:
        super().__init__()
        self.p = nn.Linear(3, width)
        self.convs = nn.ModuleList(SpectralConv2d(width, modes) for _ in range(3))
        self.ws = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in range(3))
        self.q1, self.q2 = nn.Linear(width, 16), nn.Linear(16, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.p(x).permute(0, 3, 1, 2)
        for index, (conv, w) in enumerate(zip(self.convs, self.ws, strict=True)):
            x = conv(x) + w(x)
            if index < 2:
                x = F.gelu(x)
        return self.q2(F.gelu(self.q1(x.permute(0, 2, 3, 1))))


class CausalSelfAttention(nn.Module):
    def __init__(self, size: int = 16, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.c_attn = nn.Linear(size, 3 * size)
        self.c_proj = nn.Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        b, t, c = x.size()
        q, k, v = (part.view(b, t, self.heads, -1).transpose(1, 2) for part in self.c_attn(x).split(c, dim=2))
        att = (q @ k.transpose(-2, -1)) / math.sqrt(k.size(-1))
        att = att.masked_fill(torch.tril(torch.ones(t, t)) == 0, float("-inf"))
        y = F.softmax(att, dim=-1) @ v
        return self.c_proj(y.transpose(1, 2).reshape(b, t, c))


class MinGptBlock(nn.Module):
    def __init__(self, size: int = 16) -> None:
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(size), nn.LayerNorm(size)
        self.attn = CausalSelfAttention(size)
        self.mlp = nn.Sequential(nn.Linear(size, 4 * size), nn.GELU(), nn.Linear(4 * size, size), nn.Dropout(0.1))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln1(x))
        return x + self.mlp(self.ln2(x))


class MinGpt(nn.Module):
    """The network of the example of distributed training."""

    def __init__(self, size: int = 16) -> None:
        super().__init__()
        self.tok_emb = nn.Embedding(50, size)
        self.pos_emb = nn.Parameter(torch.zeros(1, 16, size))
        self.blocks = nn.Sequential(*(MinGptBlock(size) for _ in range(2)))
        self.ln_f = nn.LayerNorm(size)
        self.head = nn.Linear(size, 50, bias=False)

    def forward(self, idx: Tensor) -> Tensor:
        x = self.tok_emb(idx) + self.pos_emb[:, : idx.size(1)]
        return self.head(self.ln_f(self.blocks(x)))


class ForwardForwardLayer(nn.Linear):
    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x_direction = x / (x.norm(2, 1, keepdim=True) + 1e-4)
        return self.relu(torch.mm(x_direction, self.weight.T) + self.bias.unsqueeze(0))


class ForwardForward(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([ForwardForwardLayer(16, 8), ForwardForwardLayer(8, 8)])

    def forward(self, x: Tensor) -> Tensor:
        goodness = []
        for layer in self.layers:
            x = layer(x)
            goodness.append(x.pow(2).mean(1))
        return sum(goodness)
