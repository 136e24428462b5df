from lsbench.runtimes import Form, aot


def test_the_program_of_the_model_is_compiled_into_the_folder(tmp_path, monkeypatch):
    seen = {}

    def compiled(program, package_path):
        seen["operators"] = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
        seen["dtypes"] = {tensor.dtype for tensor in program.state_dict.values()}
        (tmp_path / aot.FILE).write_bytes(b"")
        assert package_path == str(tmp_path / aot.FILE)

    import torch._inductor

    monkeypatch.setattr(torch._inductor, "aoti_compile_and_package", compiled)
    monkeypatch.setattr(torch._inductor, "aoti_load_package", lambda path: path)
    model, images = torch.nn.Conv2d(3, 4, 3), torch.ones(2, 3, 8, 8)
    seconds = aot.RUNTIME.write(model, images, Form("bf16"), None, tmp_path)
    assert set(seconds) == {"export", "compile"}
    assert seen == {"operators": ["aten.conv2d.default"], "dtypes": {torch.bfloat16}}
    assert aot.RUNTIME.load(tmp_path, Form("bf16")) == str(tmp_path / aot.FILE)
