"""Records and models for other tools: model folder, MLflow, TensorBoard, TREC, Optuna."""
